"""The weights of a model: their shapes, their first values, their names as fitted attributes."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from crnn._initializers import glorot_uniform, orthogonal, uniform

# Parameter array of the network -> fitted attribute of the estimator.
ATTRIBUTES = {
    "embedding": "embedding_",
    "kernel": "kernel_",
    "recurrent_kernel": "recurrent_kernel_",
    "bias": "bias_",
    "head_kernel": "coef_",
    "head_bias": "intercept_",
}


def shapes(*, vocabulary_size, n_features, units, n_outputs):
    """Shape of each parameter array; a vocabulary_size of None is a model of float series."""
    V, F, H, K = vocabulary_size, n_features, units, n_outputs
    embedding = {} if V is None else {"embedding": (V, F)}
    return embedding | {
        "kernel": (F, H),
        "recurrent_kernel": (H, H),
        "bias": (H,),
        "head_kernel": (H, K),
        "head_bias": (K,),
    }


def own_stream(random_state):
    """A random stream that nobody else draws from, so that a model goes on by itself."""
    if isinstance(random_state, Integral):
        return np.random.RandomState(random_state)
    return np.random.RandomState(check_random_state(random_state).randint(2**31 - 1))


def draw(rng, shapes, dtype):
    """The first values, by the rules of Keras."""
    parameters = {}
    for name, shape in shapes.items():
        if name == "embedding":
            parameters[name] = uniform(rng, shape, dtype)
        elif name == "recurrent_kernel":
            parameters[name] = orthogonal(rng, shape[0], dtype)
        elif len(shape) == 2:
            parameters[name] = glorot_uniform(rng, *shape, dtype)
        else:
            parameters[name] = np.zeros(shape, dtype)
    return parameters


def from_attributes(estimator, *, copy=None):
    """The fitted attributes as the contiguous arrays that the kernels read."""
    parameters = {}
    for name, attribute in ATTRIBUTES.items():
        if hasattr(estimator, attribute):
            array = np.asarray(getattr(estimator, attribute))
            # coef_ is (n_outputs, units), as in scikit-learn's linear models.
            array = array.T if name == "head_kernel" else array
            parameters[name] = np.array(array, dtype=estimator.dtype, order="C", copy=copy)
    return parameters


def to_attributes(estimator, parameters):
    for name, attribute in ATTRIBUTES.items():
        vars(estimator).pop(attribute, None)
        if name in parameters:
            array = parameters[name]
            setattr(estimator, attribute, array.T if name == "head_kernel" else array)


def check_shapes(estimator, expected):
    """Refuse to continue from attributes that the parameters of the estimator do not describe."""
    for name, attribute in ATTRIBUTES.items():
        wanted = expected.get(name)
        wanted = wanted[::-1] if name == "head_kernel" else wanted
        found = np.shape(getattr(estimator, attribute)) if hasattr(estimator, attribute) else None
        if found != wanted:
            raise ValueError(
                f"{attribute} has shape {found}, but the parameters and the data ask for {wanted}. "
                "Set the parameters to those of the fitted model, or warm_start=False."
            )
