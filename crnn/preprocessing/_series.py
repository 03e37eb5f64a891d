"""The base of the transformers of float series: what they read and how they give it back."""

from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from crnn._data.reader import read
from crnn._data.sequences import series_sequences
from crnn._docs import documented
from crnn._system.sklearn_private import get_output_config
from crnn._typing import Floats, SequencesLike, quiet, validated
from crnn.preprocessing._docs import SERIES_TEXTS

# One array, or one for each series of a list.
Series = Floats | list[Floats]


@documented(SERIES_TEXTS)
class SeriesTransformer(TransformerMixin, BaseEstimator):
    """Reads series as the estimators do.

    A subclass may have ``_arranged(X)``, ``_learn(series)``, which gets an array (n_samples,
    timesteps, features) or a list of arrays (timesteps, features), and ``_transformed(x)`` of such
    an array, or of each in the list.
    """

    input: ClassVar[str] = "series"  # for the reader: integers are measurements, too
    n_features_in_: int
    n_channels_in_: int

    if TYPE_CHECKING:  # inherited from scikit-learn, which has no types

        def fit_transform(self, X: SequencesLike, y: Any = None) -> Series: ...
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...
        def set_output(self, *, transform: str | None = None) -> Self: ...

    @validated
    def fit(self, X: SequencesLike, y: Any = None) -> Self:
        """Learn from the training series.

        Parameters
        ----------
        {X}
        {y}

        Returns
        -------
        self : fitted transformer

        Raises
        ------
        {errors}
        """
        learner = copy(self)  # an error leaves self as it was
        raw = read(learner, self._arranged(X), reset=True)
        learner._learn(self._series(raw, raw.n_features))
        learner.n_channels_in_ = raw.n_features
        self.__dict__ = learner.__dict__
        return self

    @quiet
    def transform(self, X: SequencesLike) -> Series:
        """Transform series.

        Parameters
        ----------
        {X}

        Returns
        -------
        {series}

        Raises
        ------
        {errors}
        """
        return self._run(self._arranged(X), self._transformed)

    def _run(self, X, function):
        check_is_fitted(self)
        raw = read(self, X, reset=False)
        series = _each(function, self._series(raw, self.n_channels_in_))
        return self._given_back(series, raw)

    def _arranged(self, X):
        """X with its axes in the order of the estimators."""
        return X

    def _learn(self, series):
        pass

    def _transformed(self, x):
        return x

    def _series(self, raw, n_features):
        """The series as floats; single precision is kept."""
        dtype = np.float32 if raw.values.dtype == np.float32 else np.float64
        return raw.apart(series_sequences(raw.values, raw.offsets, dtype, n_features).values)

    def _given_back(self, series, raw):
        """Series in the container that they came in."""
        if raw.values.ndim == 1:
            series = _each(_without_axis, series)
        wanted = get_output_config("transform", self)["dense"]
        if wanted != "default" and (isinstance(series, list) or series.ndim > 2):
            raise ValueError(
                f"set_output(transform={wanted!r}) gives tables, which hold neither series of "
                "several features nor a list of series; set_output(transform='default')."
            )
        return series

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _each(function, series):
    """A function of (..., timesteps, features) of all series of an array, or of each in a list."""
    if isinstance(series, list):
        return [function(x) for x in series]
    return function(series)


def _without_axis(x):
    """Drop the axis of features from univariate series."""
    return x[..., 0] if x.shape[-1] == 1 else x
