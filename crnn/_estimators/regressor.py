"""Regression: one number per sequence, or several."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils import check_array

from crnn._docs import documented
from crnn._estimators.base import BaseSimpleRNN
from crnn._estimators.docs import TEXTS
from crnn._estimators.given_weights import fitted_estimator
from crnn._estimators.prediction import logits
from crnn._saving.snapshot import on_snapshot
from crnn._training.losses import Numbers
from crnn._typing import Floats, SequencesLike, validated


@documented(TEXTS)
class SimpleRNNRegressor(RegressorMixin, BaseSimpleRNN):
    """Predict numbers from sequences with an embedding, a recurrent layer and a dense head.

    Reads token ids or float series step by step, ``h_t = f(x_t W + b + h_{t-1} U)``, and predicts
    one or several numbers from the pooled states, minimising the squared error. Training is slow
    unless targets are of about unit scale: see scikit-learn's TransformedTargetRegressor.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    crnn.SimpleRNNClassifier : The same network for classification.

    References
    ----------
    Elman (1990), Finding structure in time. Werbos (1990), Backpropagation through time: what it
    does and how to do it.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn import SimpleRNNRegressor
    >>> X = np.random.default_rng(0).uniform(-1, 1, (200, 5))  # series of five numbers
    >>> y = X.sum(axis=1)
    >>> reg = SimpleRNNRegressor(8, max_iter=50, random_state=0).fit(X, y)
    >>> reg.score(X, y) > 0.9
    True
    """

    @validated
    def fit(
        self,
        X: SequencesLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        X_val: SequencesLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Train on sequences X with targets y.

        Parameters
        ----------
        {X_train}
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers to predict.
        {sample_weight}
        {validation_data}

        Returns
        -------
        self : SimpleRNNRegressor

        Raises
        ------
        {fit_errors}
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    @validated
    def partial_fit(
        self, X: SequencesLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one epoch on part of the data.

        Parameters
        ----------
        {X_train}
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers to predict.
        {sample_weight_of_part}

        Returns
        -------
        self : SimpleRNNRegressor

        Raises
        ------
        {partial_fit_errors}
        """
        return self._partial_fit(X, y, sample_weight)

    @classmethod
    def from_weights(
        cls, weights: Mapping[str, ArrayLike] | Sequence[ArrayLike], **parameters: Any
    ) -> Self:
        """Make a fitted regressor of weights that were trained elsewhere.

        Parameters
        ----------
        {given_weights}
        {parameters_of_weights}

        Returns
        -------
        self : SimpleRNNRegressor
            ``n_iter_`` is 0, and X may have any width. ``partial_fit``, and ``fit`` with
            ``warm_start=True``, train these weights further with a new optimiser. With a single
            output, predictions are one-dimensional.

        Raises
        ------
        {from_weights_errors}

        Examples
        --------
        >>> from crnn import SimpleRNNRegressor
        >>> weights = [[[1.0]], [[1.0]], [0.0], [[2.0]], [1.0]]  # twice the sum of a series, and 1
        >>> options = {"pooling": "last", "activation": "linear"}
        >>> reg = SimpleRNNRegressor.from_weights(weights, **options)
        >>> reg.predict([[1.0, 2.0], [0.5]])
        array([7., 2.])
        """
        return fitted_estimator(cls, weights, parameters)

    @on_snapshot
    def predict(self, X: SequencesLike) -> Floats:
        """Predict the targets of the samples.

        Parameters
        ----------
        {X}

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Always in double precision.

        Raises
        ------
        {errors}
        """
        outputs = logits(self, X)
        return self._objective().predict(outputs)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    # What fit calls

    def _check_target(self, y):
        return check_array(y, ensure_2d=False, dtype="numeric", input_name="y")

    def _learn_target(self, y):
        self._one_dimensional = y.ndim == 1
        self.out_activation_ = "identity"
        self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]

    def _learn_outputs(self, weights):
        K = len(weights["head/bias"])
        self._learn_target(np.zeros(1 if K == 1 else (1, K)))
        return weights

    def _objective(self):
        return Numbers(self.n_outputs_, self._one_dimensional)
