"""Words -> ids by hashing: nothing is learned, so nothing has to fit in memory."""

from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import DTypeLike
from sklearn.utils import murmurhash3_32

from crnn import _text
from crnn._constraints import Interval
from crnn._docs import documented
from crnn._system.sklearn_callbacks import one_task
from crnn._typing import Documents, Side, validated
from crnn.preprocessing._docs import TEXTS
from crnn.preprocessing._documents import (
    FIRST_WORD,
    WORD_PATTERN,
    BaseSequenceVectorizer,
    Ids,
    WordReader,
    check_documents,
)


@documented(TEXTS)
class HashingSequenceVectorizer(BaseSequenceVectorizer):
    """Turn raw documents into sequences of word ids without a vocabulary.

    The counterpart of :class:`~sklearn.feature_extraction.text.HashingVectorizer` for models that
    read words one after the other. The id of a word is its hash, so that documents can be read in
    any number of parts, on any number of machines, with the same ids everywhere. Words may share an
    id, and ids cannot be turned back into words.

    As with :class:`SequenceVectorizer`, 0 is padding, 1 the start of a document, and words have
    the ids from 3 on; no word is unknown.

    Parameters
    ----------
    n_features : int, default=2**14
        Bound of the ids: every id is less than `n_features`. Pass the same number to the network
        as `vocabulary_size`.
    {analysis}
    {output}

    See Also
    --------
    SequenceVectorizer : Learns a vocabulary, with an id of its own for each word.

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
        {X_unread}
        {y}

        Returns
        -------
        self : HashingSequenceVectorizer

        Raises
        ------
        {unread_errors}

        Warns
        -----
        UserWarning
            If a parameter has no effect because of another one, or if `stop_words` do not match
            the tokens that the documents are split into.
        """
        self._check(X)
        self._check_analysis()
        return self

    @validated
    def partial_fit(self, X: Documents, y: None = None) -> Self:
        """Check the parameters; nothing is learned.

        Parameters
        ----------
        {X_unread}
        {y}

        Returns
        -------
        self : HashingSequenceVectorizer

        Raises
        ------
        {unread_errors}
        """
        return self.fit(X, y)

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
        self._validate_params()
        self._check(X)
        self._check_room(X)
        return self._to_output(self._read(X, self._reader()), X)

    def _check(self, X):
        check_documents(X)
        self._check_dtype(self.n_features - 1)

    def _reader(self):
        if self._has_default_words() and self.n_features <= 2**31:
            return _text.HashingReader(self.n_features)
        return WordReader(Hashes(self.n_features).__getitem__, self.dtype)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


class Hashes(dict):
    """The id of each word; hashes are kept."""

    def __init__(self, n_features):
        self.n_words = n_features - FIRST_WORD

    def __missing__(self, word):
        # As murmurhash3_32 encodes it, except that it rejects a lone surrogate.
        key = word.encode("utf-8", "surrogatepass") if isinstance(word, str) else word
        self[word] = FIRST_WORD + murmurhash3_32(key, positive=True) % self.n_words
        return self[word]
