"""Series whose axes stand in another order."""

from typing import Literal

import numpy as np
from sklearn.base import OneToOneFeatureMixin

from crnn._data.containers import sequences_in
from crnn._docs import documented
from crnn._system.sklearn_private import StrOptions
from crnn._typing import SequencesLike
from crnn.preprocessing._docs import SERIES_TEXTS
from crnn.preprocessing._series import Series, SeriesTransformer


@documented(SERIES_TEXTS)
class SeriesLayout(OneToOneFeatureMixin, SeriesTransformer):
    """Bring the timesteps of series to the front.

    Libraries for time series, such as aeon and sktime, have them as (n_samples, channels,
    timesteps), or for unequal lengths as a list of (channels, timesteps). This library reads one
    timestep after the other, as (n_samples, timesteps, features).

    Parameters
    ----------
    layout : {"channels_first", "channels_last"}, default="channels_first"
        Where the channels of the series passed are: before or behind the timesteps.
        "channels_last" leaves the series as they are.

    Attributes
    ----------
    n_features_in_ : int
        Timesteps of the training series, if they were an array.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the timesteps, if the training series were a table with columns named by text.
    n_channels_in_ : int
        Channels of the training series.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from crnn import SimpleRNNClassifier
    >>> from crnn.preprocessing import SeriesLayout
    >>> X = np.random.default_rng(0).normal(size=(20, 3, 50))  # 3 channels, 50 timesteps
    >>> SeriesLayout("channels_first").fit_transform(X).shape
    (20, 50, 3)
    >>> y = np.arange(20) % 2
    >>> clf = make_pipeline(SeriesLayout(), SimpleRNNClassifier(random_state=0)).fit(X, y)
    """

    _parameter_constraints = {"layout": [StrOptions({"channels_first", "channels_last"})]}

    def __init__(
        self, layout: Literal["channels_first", "channels_last"] = "channels_first"
    ) -> None:
        self.layout = layout

    def _arranged(self, X):
        if self.layout == "channels_last":
            return X
        series = sequences_in(X)
        if series is None:
            return np.asarray(X).transpose(0, 2, 1) if np.ndim(X) == 3 else X
        return [np.asarray(x).T if np.ndim(x) == 2 else x for x in series]

    def inverse_transform(self, X: SequencesLike) -> Series:
        """Bring the timesteps back to where they were.

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
        return self._arranged(self._run(X, self._transformed))
