"""What vectorizers share: documents -> words, ids of words -> padded ids."""

from collections.abc import Iterable
from functools import partial
from itertools import islice
from numbers import Integral
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils._param_validation import StrOptions

from crnn import _memory
from crnn._callbacks import CallbackSupportMixin
from crnn._constraints import Interval
from crnn.preprocessing._padding import pad_sequences

PAD, START, OUT_OF_VOCABULARY, FIRST_WORD = range(4)

# Runs of anything but white space and the punctuation that Keras filters; an apostrophe stays.
WORD_PATTERN = r"""[^\s!"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~]+"""

# Padded to one matrix, or of unequal length.
Ids: TypeAlias = NDArray[np.integer[Any]] | list[NDArray[np.integer[Any]]]

AT_A_TIME = 1000  # documents that are padded together


class BaseSequenceVectorizer(
    CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Analyses documents as CountVectorizer does, and keeps the order of the words."""

    _parameter_constraints: ClassVar[dict] = {
        "maxlen": [Interval(Integral, 1, None, closed="left"), None],
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
        """Refuse a matrix that the machine does not hold before anything is learned."""
        if self.maxlen is not None and hasattr(X, "__len__"):
            room = len(X) * self.maxlen * np.dtype(self.dtype).itemsize
            what = f"A matrix of {len(X)} documents x maxlen={self.maxlen} ids"
            _memory.require(room, what, "Lower maxlen, or transform fewer documents at a time.")

    def _words(self, documents):
        """The words of each document."""
        own = self.get_params(deep=False)
        if self.token_pattern is None and self.tokenizer is None and self.analyzer == "word":
            raise ValueError("token_pattern=None says not what a word is; pass a tokenizer.")
        shared = {name: own[name] for name in CountVectorizer().get_params() if name in own}
        analyze = CountVectorizer(**shared).build_analyzer()
        for place, document in enumerate(documents):
            try:
                words = analyze(document)
            except (AttributeError, TypeError) as error:
                if self.input != "content" or isinstance(document, (str, bytes)):
                    raise
                raise ValueError(
                    f"Document {place} is of type {type(document).__name__}, not text; fill in or "
                    "leave out missing texts, or pass a preprocessor that turns it into text."
                ) from error
            yield words

    def _to_output(self, sequences, X):
        """Put the start in front of the ids of each document of X; pad unless `maxlen` is None."""
        started = (
            np.concatenate(([START], ids), dtype=self.dtype, casting="unsafe") for ids in sequences
        )
        if self.maxlen is None:
            return list(started)
        pad = partial(
            pad_sequences,
            maxlen=self.maxlen,
            dtype=self.dtype,
            padding=self.padding,
            truncating=self.truncating,
        )
        if not hasattr(X, "__len__"):
            return pad(list(started))
        # Part by part, so that the sequences are not all there beside the matrix.
        padded = np.empty((len(X), self.maxlen), self.dtype)
        for start in range(0, len(X), AT_A_TIME):
            padded[start : start + AT_A_TIME] = pad(list(islice(started, AT_A_TIME)))
        return padded

    @property
    def _n_features_out(self):
        """One feature for each place of a sequence."""
        if self.maxlen is None:
            raise ValueError(
                "maxlen=None gives sequences of unequal length, which are no columns with names; "
                "set maxlen."
            )
        return self.maxlen

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


def check_documents(X):
    if isinstance(X, str) or not isinstance(X, Iterable):
        raise ValueError(
            "Iterable over raw text documents expected, "
            f"{'string' if isinstance(X, str) else type(X).__name__} object received."
        )
    if len(getattr(X, "shape", (0,))) != 1:
        raise ValueError(
            f"One text a document expected, but X has shape {X.shape}; pass a single column, as a "
            "ColumnTransformer does for a column's name instead of a list of names."
        )
