# The losses, each with its gradient by the logits and its metric.

from cython cimport floating
from libc.math cimport exp, fabs, log, log1p
from libc.stdint cimport int32_t


def sigmoid_cross_entropy(
    const floating[:, ::1] logits,    # IN  (B, K)
    const floating[:, ::1] targets,   # IN  (B, K)  0 or 1
    const floating[::1] weights,      # IN  (B,)
    double normalizer,
    floating[:, ::1] grad_logits,     # OUT (B, K)  gradient of the weighted sum / normalizer
):
    """Binary cross-entropy from the logit, averaged over the K outputs.

    With p = 1 / (1 + exp(-z)), -y log p - (1 - y) log(1 - p) is
    max(z, 0) - z y + log(1 + exp(-|z|)), which neither overflows nor needs clipping; its
    derivative is p - y. Returns the weighted sums of the loss and of the correct outputs
    (p > 0.5), each averaged over K.
    """
    cdef Py_ssize_t B = logits.shape[0], K = logits.shape[1], i, j
    cdef double loss = 0, correct = 0, z, y, e, p
    require(targets.shape[0] == B and targets.shape[1] == K and weights.shape[0] == B
            and grad_logits.shape[0] == B and grad_logits.shape[1] == K,
            "targets, weights and grad_logits must fit logits")
    with nogil:
        for i in range(B):
            for j in range(K):
                z = logits[i, j]
                y = targets[i, j]
                e = exp(-fabs(z))
                p = 1 / (1 + e) if z >= 0 else e / (1 + e)
                loss += weights[i] * ((z if z > 0 else 0) - z * y + log1p(e)) / K
                correct += weights[i] * ((z > 0) == (y > 0.5)) / K
                grad_logits[i, j] = <floating> (weights[i] * (p - y) / (normalizer * K))
    return loss, correct


def softmax_cross_entropy(
    const floating[:, ::1] logits,  # IN  (B, K)
    const int32_t[::1] targets,     # IN  (B,)  class numbers
    const floating[::1] weights,    # IN  (B,)
    double normalizer,
    floating[:, ::1] grad_logits,   # OUT (B, K)  gradient of the weighted sum / normalizer
):
    """Softmax cross-entropy, log sum_k exp(z_k) - z_y, with derivative softmax(z) - onehot(y).

    Returns the weighted sums of the loss and of the correct predictions (the first largest logit).
    """
    cdef Py_ssize_t B = logits.shape[0], K = logits.shape[1], i, j, best
    cdef double loss = 0, correct = 0, total, largest
    require(targets.shape[0] == B and weights.shape[0] == B
            and grad_logits.shape[0] == B and grad_logits.shape[1] == K,
            "targets, weights and grad_logits must fit logits")
    require(K > 0 or B == 0, "logits must have a column")
    require_below(targets, K, "targets")
    with nogil:
        for i in range(B):
            best = 0
            for j in range(1, K):
                if logits[i, j] > logits[i, best]:
                    best = j
            largest = logits[i, best]
            total = 0
            for j in range(K):
                total += exp(logits[i, j] - largest)
            for j in range(K):
                grad_logits[i, j] = <floating> (
                    weights[i] * (exp(logits[i, j] - largest) / total - (j == targets[i]))
                    / normalizer)
            loss += weights[i] * (log(total) + largest - logits[i, targets[i]])
            correct += weights[i] * (best == targets[i])
    return loss, correct


def squared_error(
    const floating[:, ::1] logits,   # IN  (B, K)  the predictions: the head has no activation
    const floating[:, ::1] targets,  # IN  (B, K)
    const floating[::1] weights,     # IN  (B,)
    double normalizer,
    floating[:, ::1] grad_logits,    # OUT (B, K)  gradient of the weighted sum / normalizer
):
    """(z - y)^2, averaged over the K outputs, with derivative 2 (z - y) / K.

    Returns the weighted sums of the loss and of |z - y|, averaged over K as well.
    """
    cdef Py_ssize_t B = logits.shape[0], K = logits.shape[1], i, j
    cdef double loss = 0, distance = 0, d
    require(targets.shape[0] == B and targets.shape[1] == K and weights.shape[0] == B
            and grad_logits.shape[0] == B and grad_logits.shape[1] == K,
            "targets, weights and grad_logits must fit logits")
    with nogil:
        for i in range(B):
            for j in range(K):
                d = <double> logits[i, j] - targets[i, j]
                loss += weights[i] * d * d / K
                distance += weights[i] * fabs(d) / K
                grad_logits[i, j] = <floating> (2 * weights[i] * d / (normalizer * K))
    return loss, distance
