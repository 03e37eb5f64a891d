"""Networks as other libraries describe them: from an estimator, and back to one."""

from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from crnn._constraints import several
from crnn._estimators.classifier import SimpleRNNClassifier
from crnn._estimators.regressor import SimpleRNNRegressor
from crnn._layers.assembly import network_of
from crnn._layers.network import Sizes

OUT_ACTIVATIONS = {"logistic": "sigmoid", "softmax": "softmax", "identity": "linear"}


class Description(NamedTuple):
    """A network without its weights."""

    sizes: Sizes
    pooling: tuple[str, ...]
    activation: str
    out_activation: str  # "sigmoid", "softmax" or "linear"
    mask_zero: bool
    open_vocabulary: bool
    dtype: str

    @property
    def settings(self):
        """Parameters of an estimator that its weights do not show."""
        tokens = self.sizes.vocabulary_size is not None
        return {
            "pooling": self.pooling[0] if len(self.pooling) == 1 else self.pooling,
            "activation": self.activation,
            "bidirectional": self.sizes.bidirectional,
            **({"mask_zero": self.mask_zero} if tokens else {}),
            **({"vocabulary_size": None} if self.open_vocabulary else {}),
        }


def describe(estimator, function):
    """Describe a fitted estimator; refuse what no other library has."""
    if not hasattr(estimator, "hidden_states"):
        raise TypeError(
            f"{function} takes a network of crnn, not a {type(estimator).__name__}; of a Pipeline "
            "pass the last step, pipeline[-1]."
        )
    check_is_fitted(estimator)
    sizes = network_of(estimator).sizes  # refuses parameters that have changed since the fit
    if sizes.bigrams:
        raise ValueError(
            f"bigrams={sizes.bigrams}: no layer of another library has vectors of hashed pairs. "
            f"Fit with bigrams=0 for {function}."
        )
    tokens = sizes.vocabulary_size is not None
    return Description(
        sizes=sizes,
        pooling=several(estimator.pooling),
        activation=estimator.activation,
        out_activation=OUT_ACTIVATIONS[estimator.out_activation_],
        mask_zero=tokens and bool(estimator.mask_zero),
        open_vocabulary=tokens and estimator.vocabulary_size is None,
        dtype=np.dtype(estimator.dtype).name,
    )


def estimator_of(weights, K, kind, classes, parameters):
    """A fitted estimator with K outputs of the ``kind`` "sigmoid", "softmax" or "linear"."""
    if kind == "softmax" and K == 1:
        raise ValueError("The head has a softmax of one output, which is always 1.")
    if kind == "linear" and classes is None:
        return SimpleRNNRegressor.from_weights(weights, **parameters)
    if kind == "sigmoid" and K > 1:
        if classes is not None:
            raise ValueError(
                f"The head has {K} sigmoid outputs, each of which is a label of its own, so that "
                f"classes={classes!r} are not classes of one target. Leave classes out."
            )
        return SimpleRNNClassifier.from_weights(weights, None, **parameters)
    classes = np.arange(max(K, 2)) if classes is None else classes
    return SimpleRNNClassifier.from_weights(weights, classes, **parameters)
