"""Series of about unit size."""

from typing import Literal

import numpy as np
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils.metaestimators import available_if

from crnn._docs import documented
from crnn._system.sklearn_private import StrOptions
from crnn._typing import Floats, SequencesLike
from crnn.preprocessing._docs import SERIES_TEXTS
from crnn.preprocessing._series import Series, SeriesTransformer


@documented(SERIES_TEXTS)
class SeriesScaler(OneToOneFeatureMixin, SeriesTransformer):
    """Bring series to mean 0 and standard deviation 1.

    A network starts from weights that suit numbers of about that size. A ``StandardScaler`` reads
    columns, so that it gives each timestep of a 2-D array a mean of its own, and cannot read series
    of several features or of unequal lengths.

    Parameters
    ----------
    per : {"channel", "series"}, default="channel"
        "channel" takes mean and standard deviation of each channel (feature of a timestep) over
        all steps of all training series, so that differences in size between series stay.
        "series" takes them of each channel of each series by itself, so that only its shape stays.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_channels,)
        Mean and standard deviation of the training series; a constant channel has scale 1. Only
        with `per="channel"`.
    n_features_in_ : int
        Timesteps of the training series, if they were an array.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the timesteps, if the training series were a table with columns named by text.
    n_channels_in_ : int
        Features of a timestep.

    See Also
    --------
    SeriesPatches : Make long series short.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn.preprocessing import SeriesScaler
    >>> X = np.array([[10.0, 12.0, 14.0], [20.0, 22.0, 24.0]])
    >>> SeriesScaler().fit_transform(X).round(2)
    array([[-1.33, -0.95, -0.57],
           [ 0.57,  0.95,  1.33]])
    >>> SeriesScaler(per="series").fit_transform(X).round(2)
    array([[-1.22,  0.  ,  1.22],
           [-1.22,  0.  ,  1.22]])
    """

    _parameter_constraints = {"per": [StrOptions({"channel", "series"})]}

    mean_: Floats
    scale_: Floats

    def __init__(self, per: Literal["channel", "series"] = "channel") -> None:
        self.per = per

    def _learn(self, series):
        if self.per == "series":
            for name in ("mean_", "scale_"):  # of an earlier fit
                vars(self).pop(name, None)
            return
        steps = np.concatenate(series)
        if not len(steps):
            raise ValueError("X has no timesteps to learn from; pass at least one series of some.")
        steps = steps.reshape(-1, steps.shape[-1])
        (self.mean_,), (self.scale_,) = _mean_and_scale(steps)

    def _transformed(self, x):
        if not x.size:
            return x
        mean, scale = _mean_and_scale(x) if self.per == "series" else (self.mean_, self.scale_)
        return ((x - mean) / scale).astype(x.dtype)

    @available_if(lambda self: self.per == "channel")
    def inverse_transform(self, X: SequencesLike) -> Series:
        """Bring scaled series back to their size; only with `per="channel"`.

        Parameters
        ----------
        X : array-like of shape (n_samples, timesteps) or (n_samples, timesteps, features), or list
            Scaled series, as `transform` returns them.

        Returns
        -------
        series : ndarray or list of ndarray
            An array for an array, a list for a list.

        Raises
        ------
        ValueError
            If X holds NaN or infinity, or differs from the training series in its number of
            features, or as an array in its number of timesteps.
        """

        def back(x):
            return (x * self.scale_ + self.mean_).astype(x.dtype)

        return self._run(X, back)


def _mean_and_scale(x):
    """Mean and standard deviation over the steps; 1 where the latter is nothing but rounding."""
    mean = x.mean(axis=-2, keepdims=True, dtype=np.float64)
    deviation = x.std(axis=-2, keepdims=True, dtype=np.float64)
    if not np.isfinite(mean + deviation).all():
        raise ValueError(
            "X has values so large that their mean or standard deviation is infinite; divide X by "
            "a constant first."
        )
    rounding = 10 * np.finfo(x.dtype).eps * np.abs(mean)
    return mean, np.where(deviation > rounding, deviation, 1.0)
