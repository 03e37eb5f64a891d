"""Words -> ids, by their hash: nothing is learned, so nothing has to fit in memory."""

from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import DTypeLike
from sklearn.utils import murmurhash3_32

from crnn._constraints import Interval
from crnn._system.sklearn_callbacks import one_task
from crnn._typing import Documents, Side, validated
from crnn.preprocessing._documents import (
    FIRST_WORD,
    WORD_PATTERN,
    BaseSequenceVectorizer,
    Ids,
    check_documents,
)


class HashingSequenceVectorizer(BaseSequenceVectorizer):
    """Turn raw documents into sequences of word ids without a vocabulary.

    The counterpart of :class:`~sklearn.feature_extraction.text.HashingVectorizer` for models that
    read words one after the other. The id of a word is its hash, so that documents can be read in
    any number of parts, on any number of machines, and unpickled models agree. Words may share an
    id, and ids cannot be turned back into words.

    As with :class:`SequenceVectorizer`, 0 is padding, 1 the start of a document, and words have
    the ids from 3 on; no word is unknown.

    Parameters
    ----------
    n_features : int, default=2**14
        Bound of the ids: every id is less than `n_features`, so that it is the `vocabulary_size`
        of the network.
    maxlen : int, default=500
        Number of ids per document, the start included. None gives ragged output, a list of
        arrays.
    lowercase : bool, default=True
        Convert the documents to lower case first.
    strip_accents : {"ascii", "unicode"} or callable, default=None
        How to remove accents; None leaves them.
    analyzer : {"word", "char", "char_wb"} or callable, default="word"
        What a token is. A callable turns a document into its tokens.
    token_pattern : str or None, default=all runs of letters, digits and apostrophes
        Regular expression of a token if `analyzer == "word"`. The default cuts as Keras
        does, at white space and at each of ``!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~``. Unlike the
        pattern of `CountVectorizer` it keeps words of one letter ("a", "i") and contractions
        ("isn't"), which matter to a model that reads sentences.
    preprocessor : callable, default=None
        Replaces lower-casing and the removal of accents.
    tokenizer : callable, default=None
        Replaces `token_pattern`.
    stop_words : {"english"} or list, default=None
        Words to leave out. They get no id, not even that of unknown words.
    padding : {"pre", "post"}, default="pre"
        Where short documents are padded.
    truncating : {"pre", "post"}, default="pre"
        Where long documents are cut. "pre" keeps the last `maxlen` ids.
    input : {"filename", "file", "content"}, default="content"
        Whether documents are given as names of files, as open files or as text.
    encoding : str, default="utf-8"
        Encoding of documents that are bytes or files.
    decode_error : {"strict", "ignore", "replace"}, default="strict"
        What to do with bytes that are not valid in `encoding`.
    dtype : dtype, default=np.int32
        Integer type of the ids.

    See Also
    --------
    SequenceVectorizer : Learns the vocabulary, and has an id for each word.

    References
    ----------
    .. [1] Weinberger et al. (2009), Feature hashing for large scale multitask learning.

    Examples
    --------
    >>> from crnn.preprocessing import HashingSequenceVectorizer
    >>> vectorizer = HashingSequenceVectorizer(maxlen=5)
    >>> ids = vectorizer.transform(["Good, not bad!", "not good"])
    >>> ids.shape, bool(ids[0, 2] == ids[1, 4])
    ((2, 5), True)
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseSequenceVectorizer._parameter_constraints,
        "n_features": [Interval(Integral, FIRST_WORD + 1, None, closed="left")],
    }

    def __init__(
        self,
        n_features: int = 2**14,
        maxlen: int | None = 500,
        *,
        lowercase: bool = True,
        strip_accents: Literal["ascii", "unicode"] | Callable[[str], str] | None = None,
        analyzer: Literal["word", "char", "char_wb"] | Callable[[Any], Iterable[Any]] = "word",
        token_pattern: str | None = WORD_PATTERN,
        preprocessor: Callable[[Any], str] | None = None,
        tokenizer: Callable[[str], Iterable[Any]] | None = None,
        stop_words: Literal["english"] | list[str] | None = None,
        padding: Side = "pre",
        truncating: Side = "pre",
        input: Literal["filename", "file", "content"] = "content",
        encoding: str = "utf-8",
        decode_error: Literal["strict", "ignore", "replace"] = "strict",
        dtype: DTypeLike = np.int32,
    ) -> None:
        self.n_features = n_features
        self.maxlen = maxlen
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.analyzer = analyzer
        self.token_pattern = token_pattern
        self.preprocessor = preprocessor
        self.tokenizer = tokenizer
        self.stop_words = stop_words
        self.padding = padding
        self.truncating = truncating
        self.input = input
        self.encoding = encoding
        self.decode_error = decode_error
        self.dtype = dtype

    @validated
    @one_task
    def fit(self, X: Documents, y: None = None) -> Self:
        """Check the parameters; nothing is learned.

        Parameters
        ----------
        X : iterable of str, bytes or files
            Not read.
        y : None
            Not used; here by scikit-learn's convention.

        Returns
        -------
        self : HashingSequenceVectorizer

        Raises
        ------
        ValueError
            If `X` is a single string, or if `dtype` cannot hold the ids.

        Warns
        -----
        UserWarning
            If a parameter has no effect beside others, or `stop_words` are not as the words of
            the documents will be.
        """
        self._check(X)
        self._check_analysis()
        return self

    @validated
    def partial_fit(self, X: Documents, y: None = None) -> Self:
        """Check the parameters; nothing is learned.

        Parameters
        ----------
        X : iterable of str, bytes or files
            Not read.
        y : None
            Not used; here by scikit-learn's convention.

        Returns
        -------
        self : HashingSequenceVectorizer

        Raises
        ------
        ValueError
            If `X` is a single string, or if `dtype` cannot hold the ids.
        """
        return self.fit(X, y)

    def transform(self, X: Documents) -> Ids:
        """Give documents as sequences of ids.

        Parameters
        ----------
        X : iterable of str, bytes or files
            The documents, as `input` says.

        Returns
        -------
        ids : ndarray of shape (n_samples, maxlen) or list of ndarray
            The ids of the words, a list of arrays if `maxlen` is None.

        Raises
        ------
        ValueError
            If `X` is a single string.
        """
        self._validate_params()
        self._check(X)
        self._check_room(X)
        known: dict[Any, int] = {}
        return self._to_output((self._hash(words, known) for words in self._words(X)), X)

    def _check(self, X):
        check_documents(X)
        self._check_dtype(self.n_features - 1)

    def _hash(self, words, known):
        """Ids of the words; hashes of this call are kept in ``known``."""
        size = self.n_features - FIRST_WORD
        for word in words:
            if word not in known:
                # As murmurhash3_32 encodes it, but for half a surrogate pair, which it refuses.
                key = word.encode("utf-8", "surrogatepass") if isinstance(word, str) else word
                known[word] = FIRST_WORD + murmurhash3_32(key, positive=True) % size
        return [known[word] for word in words]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
