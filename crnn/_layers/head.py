"""The dense head, and the loss that it owns."""

import numpy as np

from crnn import _core
from crnn._layers.initializers import glorot_uniform
from crnn._layers.parameters import Parameter, zeros

# Rows whose logits exist at a time: as many as the kernels sum up in one go.
ROWS = 256


class Head:
    """Logits = features W + b, with one thread: there is little to compute."""

    name = "head"

    def __init__(self, n_features, n_outputs):
        self.shape = n_features, n_outputs
        self.parameters = {
            "head/kernel": Parameter(self.shape, glorot_uniform, penalized=True),
            "head/bias": Parameter(self.shape[1:], zeros),
        }

    def forward(self, features, run):
        """Logits (B, K)."""
        kernel, bias = run.weights["head/kernel"], run.weights["head/bias"]
        logits = self._array(run, "logits", len(features), len(bias))
        _core.dense(features, kernel, bias, 1, logits)
        return logits

    def loss(self, features, run, objective, targets, weights, normalizer):
        """Weighted sums of loss and metric; gradients of the features and of the parameters.

        The gradients are those of the sum of the loss divided by ``normalizer``. Logits are made
        for some rows at a time, so that many classes or many rows take no more memory than few.
        """
        totals, grads = np.zeros(2), None
        grad_features = self._array(run, "grad_features", *features.shape)
        for start in range(0, max(len(features), 1), ROWS):
            rows = slice(start, start + ROWS)
            logits = self.forward(features[rows], run)
            grad_logits = self._array(run, "grad_logits", *logits.shape)
            totals += objective.kernel(
                logits, targets[rows], weights[rows], normalizer, grad_logits
            )
            part = self._backward(features[rows], run, grad_logits, grad_features[rows])
            grads = part if grads is None else [a + b for a, b in zip(grads, part, strict=True)]
        return totals, grad_features, dict(zip(self.parameters, grads, strict=True))

    def _backward(self, features, run, grad_logits, grad_features):
        kernel = run.weights["head/kernel"]
        P, K = kernel.shape
        grad_kernel, grad_bias = np.empty_like(kernel), np.empty_like(kernel[0])
        _core.dense_backward(
            features,
            np.ascontiguousarray(kernel.T),
            grad_logits,
            1,
            self._array(run, "partial_sums", _core.workspace_rows(len(features)), P + 1, K),
            grad_features,
            grad_kernel,
            grad_bias,
        )
        return grad_kernel, grad_bias

    def _array(self, run, name, *shape):
        return run.workspace.scope(self.name).array(name, shape, run.weights["head/bias"].dtype)

    def buffers(self, size):
        """Numbers in the buffers of a training step."""
        P, K = self.shape
        return size.samples * P + min(size.samples, ROWS) * 2 * K + (P + 1) * K
