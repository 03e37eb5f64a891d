"""The base of the vectorizers: documents -> words, ids of words -> padded ids."""

from array import array
from collections.abc import Callable, Iterable
from copy import copy
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer

from crnn import _text
from crnn._constraints import SIZE
from crnn._system import memory
from crnn._system.sklearn_callbacks import CallbackSupportMixin
from crnn._system.sklearn_private import StrOptions, VectorizerMixin
from crnn._typing import Documents

PAD, START, OUT_OF_VOCABULARY, FIRST_WORD = range(4)

# Runs of anything but white space and the punctuation that Keras filters; an apostrophe stays.
WORD_PATTERN = r"""[^\s!"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~]+"""

# Padded to one matrix, or of unequal length.
Ids: TypeAlias = NDArray[np.integer[Any]] | list[NDArray[np.integer[Any]]]

AT_A_TIME = 128  # documents that are read together, so that their ids stay in the caches

# What a subclass may replace; together with the parameters they say what the words are.
ANALYSIS = ("build_analyzer", "build_preprocessor", "build_tokenizer", "decode", "get_stop_words")


class BaseSequenceVectorizer(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    VectorizerMixin,
    BaseEstimator,
):
    """Analyses documents as CountVectorizer does, and keeps the order of the words."""

    ngram_range = (1, 1)  # read by VectorizerMixin: single words

    if TYPE_CHECKING:  # inherited from scikit-learn, which has no types

        def fit_transform(self, X: Documents, y: None = None) -> Ids: ...
        def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]: ...
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...
        def set_output(
            self, *, transform: Literal["default", "pandas", "polars"] | None = None
        ) -> Self: ...
        def build_preprocessor(self) -> Callable[[Any], str]: ...
        def build_analyzer(self) -> Callable[[Any], list[Any]]: ...
        def get_stop_words(self) -> frozenset[str] | None: ...

    _parameter_constraints: ClassVar[dict] = {
        "maxlen": [*SIZE, None],
        "lowercase": ["boolean"],
        "strip_accents": [StrOptions({"ascii", "unicode"}), None, callable],
        "analyzer": [StrOptions({"word", "char", "char_wb"}), callable],
        "token_pattern": [str, None],
        "preprocessor": [callable, None],
        "tokenizer": [callable, None],
        "stop_words": [StrOptions({"english"}), list, None],
        "padding": [StrOptions({"pre", "post"})],
        "truncating": [StrOptions({"pre", "post"})],
        "input": [StrOptions({"filename", "file", "content"})],
        "encoding": [str],
        "decode_error": [StrOptions({"strict", "ignore", "replace"})],
        "dtype": "no_validation",  # _check_dtype does
    }

    def _check_dtype(self, largest):
        dtype = np.dtype(self.dtype)
        if not np.issubdtype(dtype, np.integer) or np.iinfo(dtype).max < largest:
            raise ValueError(
                f"dtype={self.dtype!r} cannot hold the ids up to {largest}; use np.int32."
            )

    def _check_room(self, X):
        """Refuse a matrix that is too large for the machine before anything is learned."""
        if self.maxlen is not None and hasattr(X, "__len__"):
            room = len(X) * self.maxlen * np.dtype(self.dtype).itemsize
            what = f"A matrix of {len(X)} documents x maxlen={self.maxlen} ids"
            memory.require(room, what, "Lower maxlen, or transform fewer documents at a time.")

    def _check_analysis(self):
        """Warn about parameters that contradict each other, as CountVectorizer does."""
        shown = copy(self)
        if self.token_pattern == WORD_PATTERN:  # the default is not worth a warning
            shown.token_pattern = CountVectorizer().token_pattern
        shown._warn_for_unused_params()
        self.build_analyzer()  # checks the stop words

    def build_tokenizer(self) -> Callable[[str], Iterable[Any]]:
        if self.tokenizer is None and self.token_pattern is None:
            raise ValueError(
                "token_pattern=None requires a tokenizer; pass one, or a regular expression."
            )
        return cast(Callable[[str], Iterable[Any]], super().build_tokenizer())

    def decode(self, doc: Any) -> Any:
        # CountVectorizer would refuse np.nan here, without saying which document it is.
        return doc if doc is np.nan else super().decode(doc)

    def _has_default_words(self):
        """Whether words are what the kernels of ``_text`` take them for."""
        return (
            self.token_pattern == WORD_PATTERN
            and self.input == "content"
            and self.preprocessor is self.tokenizer is self.strip_accents is self.stop_words is None
            and isinstance(self.analyzer, str)
            and self.analyzer == "word"
            and self.ngram_range == (1, 1)
            and all(
                getattr(getattr(self, name), "__func__", None)
                is getattr(BaseSequenceVectorizer, name)
                for name in ANALYSIS
            )
        )

    def _words(self, documents, first):
        """The words of each document; ``first`` is the place of the first one in X."""
        analyze = self.build_analyzer()
        for place, document in enumerate(documents, first):
            try:
                words = analyze(document)
            except (AttributeError, TypeError, UnicodeDecodeError) as error:
                if self.input != "content" or isinstance(document, (str, bytes)):
                    error.add_note(f"This is document {place}, counted from 0.")
                    raise
                raise ValueError(
                    f"Document {place} is of type {type(document).__name__}, not text; fill in or "
                    "drop missing texts, or pass a preprocessor that returns text."
                ) from error
            yield words

    def _read(self, X, reader):
        """Batches of documents: all ids of a batch in one array, and where each document ends."""
        documents = iter(X.tolist() if isinstance(X, np.ndarray) and X.dtype.kind == "U" else X)
        place = 0
        while batch := list(islice(documents, AT_A_TIME)):
            if isinstance(reader, WordReader):
                yield reader.read(self._words(batch, place))
            elif all(type(document) is str for document in batch):
                yield reader.read(batch, self.lowercase)
            else:  # words have neither upper case nor separators any more
                texts = [" ".join(words) for words in self._words(batch, place)]
                yield reader.read(texts, lowercase=False)
            place += len(batch)

    def _to_output(self, batches, X):
        """The ids of the documents of X, padded unless `maxlen` is None."""
        batches = ((ids.astype(self.dtype, copy=False), ends) for ids, ends in batches)
        if self.maxlen is None:
            return [ids.copy() for ids in one_by_one(batches)]
        if not hasattr(X, "__len__"):
            batches = list(batches)
            X = range(sum(len(ends) for _, ends in batches))
            self._check_room(X)
        padded, row = np.zeros((len(X), self.maxlen), self.dtype), 0
        for ids, ends in batches:
            rows = padded[row : row + len(ends)]
            _text.pad(
                ids.view(np.uint8),
                ends * ids.itemsize,
                self.padding == "pre",
                self.truncating == "pre",
                rows.view(np.uint8),
            )
            row += len(ends)
        return padded

    @property
    def _n_features_out(self):
        """One feature per position in a sequence."""
        if self.maxlen is None:
            raise ValueError(
                "maxlen=None gives ragged output, which has no feature names; set maxlen."
            )
        return self.maxlen

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


class WordReader:
    """Words of any kind to ids, in the batches that the readers of ``_text`` give."""

    def __init__(self, id_of, dtype):
        self.id_of, self.dtype = id_of, dtype

    def read(self, documents):
        ids, ends = array("q"), array("q")
        for words in documents:
            ids.append(START)
            ids.extend([self.id_of(word) for word in words])
            ends.append(len(ids))
        return np.array(ids, self.dtype), np.array(ends, np.int64)


def one_by_one(batches):
    """The ids of each document."""
    for ids, ends in batches:
        for start, end in pairwise([0, *ends.tolist()]):
            yield ids[start:end]


def check_documents(X):
    if isinstance(X, str) or not isinstance(X, Iterable):
        raise ValueError(
            "Iterable over raw text documents expected, "
            f"{'string' if isinstance(X, str) else type(X).__name__} object received."
        )
    if len(getattr(X, "shape", (0,))) != 1:
        raise ValueError(
            f"One text per document expected, but X has shape {X.shape}; pass a single column. In "
            "a ColumnTransformer give its name, not a list of names."
        )
