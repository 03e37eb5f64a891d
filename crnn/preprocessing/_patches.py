"""Long series made short: several timesteps become one of more features."""

from typing import Literal

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from crnn._constraints import SIZE
from crnn._docs import documented
from crnn._system.sklearn_private import StrOptions
from crnn._typing import Floats
from crnn.preprocessing._docs import SERIES_TEXTS
from crnn.preprocessing._series import SeriesTransformer

# What "auto" stands for was chosen by cross-validation on the training parts of seven data sets: a
# width of a twelfth of the series, and a quarter of that from one patch to the next.
WIDTHS_OF_SERIES = 12
WIDEST = 32
STEPS_OF_WIDTH = 4


@documented(SERIES_TEXTS)
class SeriesPatches(ClassNamePrefixFeaturesOutMixin, SeriesTransformer):
    """Make `width` consecutive timesteps one timestep of `width` times as many features.

    The state of a simple recurrence remembers some ten steps, so of a series of hundreds it has
    forgotten most. Of the same series in patches it reads the shapes within a patch at once, and
    has to carry a state over tens of steps only.

    The last patch ends with the last timestep. Where the patches do not fit in evenly, the first
    one is filled up in front with copies of the first timestep, so that no timestep is lost.

    Parameters
    ----------
    width : int or "auto", default="auto"
        Timesteps in a patch. "auto" is a twelfth of the median length of the training series, at
        most 32.
    step : int or "auto", default="auto"
        Timesteps from one patch to the next, at most `width`; with fewer than `width` the patches
        overlap. "auto" is a quarter of an automatic width, and all of a width that is given.

    Attributes
    ----------
    width_, step_ : int
        Those in use.
    n_features_in_ : int
        Timesteps of the training series, if they were an array.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the timesteps, if the training series were a table with columns named by text.
    n_channels_in_ : int
        Features of a timestep.

    See Also
    --------
    SeriesScaler : Bring series to unit size.

    Notes
    -----
    In transformers for series such patches are the tokens [1]_.

    References
    ----------
    .. [1] Nie, Nguyen, Sinthong and Kalagnanam (2023), A time series is worth 64 words: long-term
       forecasting with transformers, ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn.preprocessing import SeriesPatches
    >>> X = np.array([[1.0, 2.0, 3.0, 4.0, 5.0]])
    >>> SeriesPatches(width=2).fit_transform(X)
    array([[[1., 1.],
            [2., 3.],
            [4., 5.]]])
    >>> SeriesPatches(width=3, step=1).fit_transform(X)[0]
    array([[1., 2., 3.],
           [2., 3., 4.],
           [3., 4., 5.]])
    """

    _parameter_constraints = {
        "width": [*SIZE, StrOptions({"auto"})],
        "step": [*SIZE, StrOptions({"auto"})],
    }

    width_: int
    step_: int

    def __init__(
        self, width: int | Literal["auto"] = "auto", step: int | Literal["auto"] = "auto"
    ) -> None:
        self.width = width
        self.step = step

    def _learn(self, series):
        width, step = self.width, self.step
        if step == "auto":
            step = width
        if width == "auto":
            T = np.median([len(x) for x in series])
            width = min(max(round(T / WIDTHS_OF_SERIES), 1), WIDEST)
        if step == "auto":
            step = max(width // STEPS_OF_WIDTH, 1)
        if step > width:
            raise ValueError(
                f"step={step} is more than width={width}, so timesteps between the patches would "
                "be lost; lower step, or raise width."
            )
        self.width_, self.step_ = int(width), int(step)

    @property
    def _n_features_out(self):
        """Patches stand where timesteps stood."""
        return self._n_patches(self._timesteps("there are no feature names"))

    def _timesteps(self, consequence):
        if not hasattr(self, "n_features_in_"):
            raise ValueError(
                f"{type(self).__name__} was fitted on a list of series, whose lengths may differ, "
                f"so {consequence}; fit it on an array."
            )
        return self.n_features_in_

    def _n_patches(self, T):
        return 1 + max(-(-(T - self.width_) // self.step_), 0) if T else 0

    def _places(self, T):
        """Timestep of each patch and place in it (n_patches, width)."""
        ends = T - self.step_ * np.arange(self._n_patches(T))[::-1]
        return np.maximum(ends[:, None] + np.arange(-self.width_, 0), 0)

    def _transformed(self, x):
        *n, T, F = x.shape
        return x[..., self._places(T), :].reshape(*n, self._n_patches(T), self.width_ * F)

    def inverse_transform(self, X: Floats) -> Floats:
        """Put the patches of series together again, if the training series were an array.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_patches, width_ * features)
            Patches as returned by `transform`. Where they overlap, the later one counts.

        Returns
        -------
        series : ndarray of shape (n_samples, timesteps) or (n_samples, timesteps, features)
            Without an axis of features if there is only one.

        Raises
        ------
        ValueError
            If X has another shape than `transform` returns, or if the training series were a list.
        """
        check_is_fitted(self)
        T, F = self._timesteps("the lengths to go back to are unknown"), self.n_channels_in_
        patches = check_array(X, dtype=(np.float64, np.float32), allow_nd=True, input_name="X")
        expected = self._n_patches(T), self.width_ * F
        if patches.shape[1:] not in (expected, expected[:1] if expected[1] == 1 else expected):
            raise ValueError(
                f"X has shape {patches.shape} instead of (n_samples, {expected[0]}, "
                f"{expected[1]}), that of the patches of series of {T} timesteps; pass what "
                "transform has returned."
            )
        series = np.empty((len(patches), T, F), patches.dtype)
        series[:, self._places(T)] = patches.reshape(-1, expected[0], self.width_, F)
        return series[..., 0] if F == 1 else series
