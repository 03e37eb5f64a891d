"""Texts that the docstrings of the vectorizers share, and those of the transformers of series."""

TEXTS = {
    "analysis": r"""
        maxlen : int, default=500
            Number of ids per document, including the start. None gives ragged output, a list of
            arrays.
        lowercase : bool, default=True
            Convert the documents to lower case first.
        strip_accents : {"ascii", "unicode"} or callable, default=None
            How to remove accents; None keeps them.
        analyzer : {"word", "char", "char_wb"} or callable, default="word"
            Whether tokens are words or characters. A callable turns a document into its tokens.
        token_pattern : str or None, default=all runs of letters, digits and apostrophes
            Regular expression of a token if `analyzer == "word"`. The default splits as Keras
            does, at white space and at each of ``!"#$%&()*+,-./:;<=>?@[\]^_`{|}~``. Unlike the
            pattern of `CountVectorizer` it keeps words of one letter ("a", "i") and contractions
            ("isn't"), which matter to a model that reads sentences.
        preprocessor : callable, default=None
            Replaces lower-casing and the removal of accents.
        tokenizer : callable, default=None
            Replaces `token_pattern`.
        stop_words : {"english"} or list, default=None
            Words to leave out. They get no id, not even that of unknown words.
        """,
    "output": """
        padding : {"pre", "post"}, default="pre"
            Side on which short documents are padded.
        truncating : {"pre", "post"}, default="pre"
            Side on which long documents are cut. "pre" keeps the last `maxlen` ids.
        input : {"filename", "file", "content"}, default="content"
            Whether documents are passed as file names, as open files or as text.
        encoding : str, default="utf-8"
            Encoding of documents that are bytes or files.
        decode_error : {"strict", "ignore", "replace"}, default="strict"
            What to do with bytes that are not valid in `encoding`.
        dtype : dtype, default=np.int32
            Integer type of the ids.
        """,
    "X": """
        X : iterable of str, bytes or files
            The documents, of the kind set by `input`.
        """,
    "X_unread": """
        X : iterable of str, bytes or files
            Not read.
        """,
    "y": """
        y : None
            Ignored; present by scikit-learn's convention.
        """,
    "ids": """
        ids : ndarray of shape (n_samples, maxlen) or list of ndarray
            The ids of the words; a list of arrays if `maxlen` is None.
        """,
    "unread_errors": """
        ValueError
            If `X` is a single string, or if `dtype` cannot hold the ids.
        """,
    "errors": """
        ValueError
            If `X` is a single string or contains a document that is not text.
        MemoryError
            If the matrix of ids does not fit in the memory of the machine.
        """,
}

SERIES_TEXTS = {
    "X": """
        X : array-like of shape (n_samples, timesteps) or (n_samples, timesteps, features), or list
            Float series, as the estimators read them. Those in a list, of shape (timesteps,) or
            (timesteps, features), may differ in length.
        """,
    "y": """
        y : array-like, default=None
            Ignored; present by scikit-learn's convention.
        """,
    "series": """
        series : ndarray or list of ndarray
            An array for an array, a list for a list; float32 stays float32, all else is float64.
        """,
    "errors": """
        ValueError
            If X holds NaN or infinity, or differs from the training series in its number of
            features, or as an array in its number of timesteps.
        """,
}
