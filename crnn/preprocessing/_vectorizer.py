"""Words -> ids by a vocabulary learned from the documents."""

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Integral
from operator import itemgetter
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.utils.validation import check_is_fitted

from crnn import _text
from crnn._constraints import SIZE, Interval
from crnn._docs import documented
from crnn._system.sklearn_callbacks import one_task
from crnn._system.sklearn_private import HasMethods, RealNotInt
from crnn._typing import Documents, Side, validated
from crnn.preprocessing._docs import TEXTS
from crnn.preprocessing._documents import (
    FIRST_WORD,
    OUT_OF_VOCABULARY,
    PAD,
    START,
    WORD_PATTERN,
    BaseSequenceVectorizer,
    Ids,
    WordReader,
    check_documents,
    one_by_one,
)


@documented(TEXTS)
class SequenceVectorizer(BaseSequenceVectorizer):
    """Turn raw documents into sequences of word ids, in reading order.

    The counterpart of :class:`~sklearn.feature_extraction.text.CountVectorizer` for models
    that read words one after the other. Documents are analysed by a `CountVectorizer`; each
    becomes the id of the start, then one id per word, padded or truncated to `maxlen`.

    Ids follow Keras: 0 is padding, 1 the start of a document, 2 a word out of the vocabulary;
    words have the ids from 3 on, by falling frequency in the training documents and, if equally
    frequent, in alphabetical order.

    Parameters
    ----------
    max_features : int, default=20000
        Bound of the ids: every id is less than `max_features`. Besides the three special ids
        there is room for the `max_features - 3` most frequent words. None keeps all words.
    {analysis}
    max_df : float in [0, 1] or int, default=1.0
        Words in more documents than this (a proportion, or a number if an int) are left out of
        the vocabulary.
    min_df : float in [0, 1] or int, default=1
        Words in fewer documents than this are left out of the vocabulary.
    vocabulary : mapping or iterable, default=None
        A vocabulary to use instead of learning one in `fit`. A mapping gives the id of each
        word, 3 or more, like `vocabulary_`; an iterable lists the words in the order of their
        ids. Words whose id is not less than `max_features` count as unknown. An iterator is read
        once, and the parameter becomes the list of its words.
    {output}

    Attributes
    ----------
    vocabulary_ : dict
        The id of each word, in the order of the ids.

    See Also
    --------
    HashingSequenceVectorizer : Learns no vocabulary, for data that do not fit in memory.
    pad_sequences : Pads sequences of ids from any source.
    sklearn.feature_extraction.text.CountVectorizer : Counts words and forgets their order.

    References
    ----------
    .. [1] `keras.datasets.imdb.load_data <https://keras.io/api/datasets/imdb/>`_, for the
       meaning of the ids.

    Examples
    --------
    >>> from crnn.preprocessing import SequenceVectorizer
    >>> vectorizer = SequenceVectorizer(maxlen=6)
    >>> vectorizer.fit_transform(["Good, not bad!", "Not good. Not at all."])
    array([[0, 0, 1, 4, 3, 7],
           [1, 3, 4, 3, 6, 5]], dtype=int32)
    >>> vectorizer.inverse_transform(vectorizer.transform(["not good, awful"]))
    [['not', 'good', '[UNK]']]
    """

    vocabulary_: dict[Any, int]

    _parameter_constraints: ClassVar[dict] = {
        **BaseSequenceVectorizer._parameter_constraints,
        "max_features": [Interval(Integral, FIRST_WORD + 1, None, closed="left"), None],
        "max_df": [Interval(RealNotInt, 0, 1, closed="both"), *SIZE],
        "min_df": [Interval(RealNotInt, 0, 1, closed="both"), *SIZE],
        "vocabulary": [Mapping, HasMethods("__iter__"), None],
    }

    def __init__(
        self,
        max_features: int | None = 20000,
        maxlen: int | None = 500,
        *,
        lowercase: bool = True,
        strip_accents: Literal["ascii", "unicode"] | Callable[[str], str] | None = None,
        analyzer: Literal["word", "char", "char_wb"] | Callable[[Any], Iterable[Any]] = "word",
        token_pattern: str | None = WORD_PATTERN,
        preprocessor: Callable[[Any], str] | None = None,
        tokenizer: Callable[[str], Iterable[Any]] | None = None,
        stop_words: Literal["english"] | list[str] | None = None,
        max_df: float = 1.0,
        min_df: float = 1,
        vocabulary: Mapping[Any, int] | Iterable[Any] | None = None,
        padding: Side = "pre",
        truncating: Side = "pre",
        input: Literal["filename", "file", "content"] = "content",
        encoding: str = "utf-8",
        decode_error: Literal["strict", "ignore", "replace"] = "strict",
        dtype: DTypeLike = np.int32,
    ) -> None:
        self.max_features = max_features
        self.maxlen = maxlen
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.analyzer = analyzer
        self.token_pattern = token_pattern
        self.preprocessor = preprocessor
        self.tokenizer = tokenizer
        self.stop_words = stop_words
        self.max_df = max_df
        self.min_df = min_df
        self.vocabulary = vocabulary
        self.padding = padding
        self.truncating = truncating
        self.input = input
        self.encoding = encoding
        self.decode_error = decode_error
        self.dtype = dtype

    @validated
    @one_task
    def fit(self, X: Documents, y: None = None) -> Self:
        """Learn the vocabulary.

        Parameters
        ----------
        {X}
        {y}

        Returns
        -------
        self : SequenceVectorizer

        Raises
        ------
        ValueError
            If `X` is a single string, if no word is left for the vocabulary, or if
            `vocabulary` is invalid.

        Warns
        -----
        UserWarning
            If a parameter has no effect because of another one, or if `vocabulary` or
            `stop_words` do not match the tokens that the documents are split into.
        """
        check_documents(X)
        self._check_analysis()
        if self.vocabulary is None:
            self._learn(X)
        else:
            self.vocabulary_ = self._given_vocabulary()
        return self

    @validated
    @one_task
    def fit_transform(self, X: Documents, y: None = None) -> Ids:
        """Learn the vocabulary and turn the training documents into ids.

        Equivalent to `fit` followed by `transform`, but analyses the documents only once.

        Parameters
        ----------
        {X}
        {y}

        Returns
        -------
        {ids}

        Raises
        ------
        {errors}

        Warns
        -----
        UserWarning
            As `fit` does.
        """
        check_documents(X)
        self._check_room(X)
        self._check_analysis()
        if self.vocabulary is None:
            return self._to_output(self._learn(X), X)
        vocabulary = self._given_vocabulary()
        ids = self._look_up(X, vocabulary)
        self.vocabulary_ = vocabulary
        return ids

    def transform(self, X: Documents) -> Ids:
        """Turn documents into sequences of ids.

        Parameters
        ----------
        {X}

        Returns
        -------
        {ids}

        Raises
        ------
        {errors}
        """
        check_documents(X)
        self._check_room(X)
        return self._look_up(X, self._fitted_vocabulary())

    def inverse_transform(self, X: Iterable[ArrayLike]) -> list[list[Any]]:
        """Turn sequences of ids back into words.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_ids) or list of array-like
            Ids as returned by `transform`.

        Returns
        -------
        words : list of list of str
            The words of each sequence in order, without padding and start; "[UNK]" stands for
            any word out of the vocabulary.

        Raises
        ------
        ValueError
            If `X` is a single sequence.
        """
        words = {id_: word for word, id_ in self._fitted_vocabulary().items()}
        rows = [np.asarray(row) for row in (np.asarray(X) if hasattr(X, "columns") else X)]
        if any(row.ndim != 1 for row in rows):
            raise ValueError(
                "X must contain one sequence of ids per document; wrap a single sequence in a list."
            )
        return [
            [words.get(id_, "[UNK]") for id_ in row.tolist() if id_ not in (PAD, START)]
            for row in rows
        ]

    def _check_analysis(self):
        super()._check_analysis()
        if self.vocabulary is None or self.preprocessor is not None or callable(self.analyzer):
            return
        preprocess = self.build_preprocessor()
        for word in self._given_vocabulary():
            if isinstance(word, str) and preprocess(word) != word:
                capital = self.lowercase and word.lower() != word
                what = "Upper case characters" if capital else "Accents"
                name = "lowercase" if capital else "strip_accents"
                warnings.warn(
                    f"{what} found in vocabulary while {name!r} is {getattr(self, name)!r}: no "
                    f"token will match {word!r}, since documents are preprocessed, which gives "
                    f"{preprocess(word)!r}. Preprocess the words of vocabulary as well.",
                    stacklevel=3,
                )
                return

    def _look_up(self, X, vocabulary):
        small = np.dtype(self.dtype) == np.int32  # the reader refuses an id that does not fit
        if not small:
            largest = max(vocabulary.values())
            self._check_dtype(largest)
            small = largest <= np.iinfo(np.int32).max
        if small and type(vocabulary) is dict and self._has_default_words():
            reader = _text.VocabularyReader(vocabulary)
        else:
            reader = WordReader(lambda word: vocabulary.get(word, OUT_OF_VOCABULARY), self.dtype)
        return self._to_output(self._read(X, reader), X)

    def _learn(self, X):
        """Set `vocabulary_` from the documents; return their ids in batches."""
        known = defaultdict()  # words that the kernel does not see
        known.default_factory = lambda: FIRST_WORD + len(known)
        default = self._has_default_words()
        reader = _text.LearningReader() if default else WordReader(known.__getitem__, np.int32)
        batches = list(self._read(X, reader))  # with ids in order of appearance
        words = reader.learned() if default else list(known)

        frequency = np.zeros(FIRST_WORD + len(words), np.intp)
        for ids, _ in batches:
            np.add.at(frequency, ids, 1)
        chosen = self._choose(words, frequency[FIRST_WORD:], batches)
        vocabulary = {words[number]: id_ for id_, number in enumerate(chosen, FIRST_WORD)}
        self._check_dtype(max(vocabulary.values()))
        self.vocabulary_ = vocabulary

        final = np.full(FIRST_WORD + len(words), OUT_OF_VOCABULARY, self.dtype)
        final[START] = START
        final[FIRST_WORD + np.array(chosen)] = list(vocabulary.values())
        return ((final[ids], ends) for ids, ends in batches)

    def _choose(self, words, frequency, batches):
        """Indices of the words that enter the vocabulary, in the order of their ids."""
        n_documents = sum(len(ends) for _, ends in batches)
        eligible = np.ones(len(words), bool)
        in_one = isinstance(self.min_df, Integral) and self.min_df == 1
        in_all = not isinstance(self.max_df, Integral) and self.max_df == 1
        if n_documents and not (in_one and in_all):  # otherwise every word is eligible
            at_least, at_most = (
                bound if isinstance(bound, Integral) else bound * n_documents
                for bound in (self.min_df, self.max_df)
            )
            if at_most < at_least:
                raise ValueError(
                    f"max_df={self.max_df!r} corresponds to fewer documents than "
                    f"min_df={self.min_df!r}; raise max_df or lower min_df."
                )
            distinct = [np.unique(document) for document in one_by_one(batches)]
            occurs_in = np.bincount(np.concatenate(distinct), minlength=FIRST_WORD + len(words))
            occurs_in = occurs_in[FIRST_WORD:]
            eligible = (at_least <= occurs_in) & (occurs_in <= at_most)
        candidates = np.flatnonzero(eligible)
        if not len(candidates):
            raise ValueError(
                "Empty vocabulary: no word was found, or stop_words, min_df and max_df left "
                "none. Pass more documents or relax these parameters."
            )
        room = len(words) if self.max_features is None else self.max_features - FIRST_WORD
        if room < len(candidates):  # sort no more than has a chance
            least = -np.partition(-frequency[candidates], room - 1)[room - 1]
            candidates = candidates[frequency[candidates] >= least]
        counts = frequency.tolist()
        order = sorted(candidates.tolist(), key=lambda number: (-counts[number], words[number]))
        return order[:room]

    def _given_vocabulary(self):
        """The parameter `vocabulary` as a checked dict from word to id."""
        if isinstance(self.vocabulary, Iterator):  # kept, as it can only be read once
            self.vocabulary = list(self.vocabulary)
        given = self.vocabulary
        if isinstance(given, Mapping):
            items = list(given.items())
        else:
            words = sorted(given) if isinstance(given, set) else given
            items = [(word, id_) for id_, word in enumerate(words, FIRST_WORD)]
        if not items:
            raise ValueError("vocabulary is empty; pass at least one word, or None to learn it.")
        for word, id_ in items:
            if not isinstance(id_, Integral) or id_ < FIRST_WORD:
                raise ValueError(
                    f"The ids in vocabulary must be integers from {FIRST_WORD} on, as lower ones "
                    f"mean padding, start and unknown words; got {id_!r} for {word!r}."
                )
        _check_unique(items)
        items.sort(key=itemgetter(1))
        bound = self.max_features
        vocabulary = {word: int(id_) for word, id_ in items if bound is None or id_ < bound}
        if not vocabulary:
            raise ValueError(
                f"No id in vocabulary is less than max_features={bound}; raise max_features."
            )
        self._check_dtype(max(vocabulary.values()))
        return vocabulary

    def _fitted_vocabulary(self):
        if hasattr(self, "vocabulary_"):
            return self.vocabulary_
        if self.vocabulary is None:
            check_is_fitted(self)
        return self._given_vocabulary()


def _check_unique(items):
    """Refuse a second occurrence of a word or of an id, and say where both are."""
    places, words = {}, {}
    for place, (word, id_) in enumerate(items):
        if word in places:
            raise ValueError(
                f"vocabulary contains {word!r} twice, at places {places[word]} and {place}, "
                "counted from 0. Leave one of them out."
            )
        if id_ in words:
            raise ValueError(
                f"vocabulary gives the id {id_} to both {words[id_]!r} and {word!r}. Give each "
                "word an id of its own."
            )
        places[word], words[id_] = place, word
