"""The weights of a model: their names, their shapes, their first values."""

import numpy as np

from crnn._layers.initializers import glorot_uniform, orthogonal, uniform


def shapes(*, vocabulary_size, n_features, units, n_outputs):
    """Shape of each weight array by name; a vocabulary_size of None is a model of float series."""
    V, F, H, K = vocabulary_size, n_features, int(units), n_outputs
    embedding = {} if V is None else {"embedding": (V, F)}
    return embedding | {
        "rnn_0/kernel": (F, H),
        "rnn_0/recurrent_kernel": (H, H),
        "rnn_0/bias": (H,),
        "head/kernel": (H, K),
        "head/bias": (K,),
    }


def draw(rng, shapes, dtype):
    """The first values, by the rules of Keras."""
    parameters = {}
    for name, shape in shapes.items():
        if name == "embedding":
            parameters[name] = uniform(rng, shape, dtype)
        elif name == "rnn_0/recurrent_kernel":
            parameters[name] = orthogonal(rng, shape[0], dtype)
        elif len(shape) == 2:
            parameters[name] = glorot_uniform(rng, *shape, dtype)
        else:
            parameters[name] = np.zeros(shape, dtype)
    return parameters


def as_parameters(weights, dtype, *, copy=None):
    """Weights as the contiguous arrays that the kernels read."""
    return {
        name: np.array(array, dtype=dtype, order="C", copy=copy) for name, array in weights.items()
    }


def check_shapes(weights, expected, remedy):
    """Refuse weights of other shapes than expected, with the remedy that the caller knows."""
    found = {name: np.shape(array) for name, array in weights.items()}
    for name in expected | found:
        if found.get(name) != expected.get(name):
            raise ValueError(
                f"weights_[{name!r}] has shape {found.get(name)} instead of {expected.get(name)}. "
                f"{remedy}"
            )
