"""A fitted network as nodes of ONNX: its input, its layers, its outputs."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from crnn._estimators.base import BaseSimpleRNN
from crnn._estimators.classifier import SimpleRNNClassifier
from crnn._estimators.transformer import SimpleRNNTransformer
from crnn._layers.assembly import network_of
from crnn._layers.parameters import as_arrays
from crnn._saving.snapshot import copy_of
from crnn._typing import quiet
from crnn.interop._onnx.layers import chain, pooled
from crnn.interop._onnx.outputs import decisions, labels_of, outputs_of
from crnn.interop._onnx.steps import of_series, of_tokens


class ExportedNetwork:
    """What the graph of a fitted estimator is made of."""

    domains: frozenset[tuple[str, int]] = frozenset()  # of operators beside those of ONNX itself

    def __init__(self, estimator):
        self.gives_states = isinstance(estimator, SimpleRNNTransformer)
        self.estimator = copy_of(_network_of(estimator))  # as it is now, while another thread fits
        self.estimator._validate_params()  # set since the fit, maybe to what is not valid
        self.network = network_of(self.estimator)
        self.weights = _single_precision(self.estimator.weights_)
        self.outputs = outputs_of(self.estimator, self.gives_states)

    @property
    def reads_tokens(self):
        return self.network.sizes.vocabulary_size is not None

    @property
    def kinds_of_input(self):
        """Parts of the names of types in skl2onnx."""
        return ("Int",) if self.reads_tokens else ("Float", "Double", "Int")

    def check_shape(self, shape):
        """Refuse an input of this shape, of which axes may be None, if it cannot be read."""
        F = self.network.sizes.n_features
        features = tuple(shape[2:])
        if self.reads_tokens:
            wanted, can_read = (None, None), features == ()
        else:
            wanted, can_read = (None, None, F), features in ((F,), (None,), () if F == 1 else (F,))
        if len(shape) < 2 or not can_read:
            raise ValueError(
                f"The input of {type(self.estimator).__name__} has shape {tuple(shape)}, but the "
                f"fitted network reads {wanted}. Declare the initial type with that shape."
            )

    def entrance(self, graph, X, shape):
        """An input of this shape as ``nodes`` reads it."""
        if self.reads_tokens:
            return graph.cast(X, np.int64)
        return X if len(shape) == 3 else graph.add("Unsqueeze", X, np.array([2]))

    def nodes(self, graph, X):
        """Add the nodes that read X; gives the names of the outputs."""
        x = self._steps(graph, X)
        network, weights = self.network, self.weights
        if self.gives_states:
            *inner, last = network.recurrent
            x = chain([*network.enter, *inner], x, graph, weights)
            return [pooled(last, ("last",), x, graph, weights)["last"]]
        logits = chain([*network.layers, network.head], x, graph, weights)
        if not isinstance(self.estimator, SimpleRNNClassifier):
            return [logits]
        return decisions(self.estimator._objective(), logits, graph, labels_of(self.estimator))

    def _steps(self, graph, X):
        if not self.reads_tokens:
            return of_series(graph, X)
        return of_tokens(
            graph,
            X,
            n_rows=self.network.sizes.vocabulary_size,
            open_vocabulary=self.estimator.vocabulary_size is None,
            mask_zero=self.estimator.mask_zero,
        )


def _network_of(estimator):
    """The fitted estimator with the weights, which a transformer holds."""
    if not isinstance(estimator, (BaseSimpleRNN, SimpleRNNTransformer)):
        raise TypeError(
            "estimator must be a SimpleRNNClassifier, SimpleRNNRegressor or SimpleRNNTransformer, "
            f"got {type(estimator).__name__}. For a pipeline call register_skl2onnx() and "
            "skl2onnx.convert_sklearn."
        )
    check_is_fitted(estimator)
    if isinstance(estimator, BaseSimpleRNN):
        return estimator
    if not isinstance(estimator.estimator_, BaseSimpleRNN):
        raise TypeError(
            f"estimator_ of the SimpleRNNTransformer is a {type(estimator.estimator_).__name__}, "
            "but only networks of crnn can be converted to ONNX."
        )
    return estimator.estimator_


@quiet
def _single_precision(weights):
    """Weights in the only precision in which ONNX Runtime has recurrent layers."""
    arrays = as_arrays(weights, np.float32)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(
                f"weights_[{name!r}] contains NaN, infinity or numbers that float32 cannot hold, "
                "in which ONNX Runtime computes recurrent layers. Fit with a lower learning_rate, "
                "with clip_norm or with alpha."
            )
    return arrays
