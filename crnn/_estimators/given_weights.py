"""Weights from elsewhere: their names, the parameters that they show, and their estimator."""

from collections.abc import Mapping

import numpy as np
from sklearn.utils import assert_all_finite

from crnn._constraints import several
from crnn._layers.network import SMALLEST, Network, Sizes, sizes_of
from crnn._layers.parameters import finite_copies
from crnn._layers.pooling import POOLINGS
from crnn._system.streams import own_stream
from crnn._typing import quiet

# How many weights there are beside those of the recurrent layers, three for each direction.
HEAD, OF_LAYER = 2, 3
ENTRIES = {2: (), 0: ("embedding",), 1: ("embedding", "bigrams")}  # by the number of all, modulo 3


@quiet
def fitted_estimator(cls, weights, parameters, **target):
    """An estimator of a class with weights from elsewhere, all of which is checked first."""
    weights = named(weights, parameters.get("bidirectional"))
    estimator = cls(**agreed(weights, parameters))
    estimator._validate_params()
    weights = finite_copies(estimator._learn_outputs(weights, **target), estimator.dtype)
    estimator._begin(weights, own_stream(estimator.random_state))
    return estimator


def named(weights, bidirectional):
    """Check weights, a mapping or a list in the order of Keras; give them by name, in that order.

    A list shows by its length whether it begins with an embedding, and by its shapes whether its
    layers have two directions, unless ``bidirectional`` tells.
    """
    if not isinstance(weights, Mapping):
        arrays = [_array(f"weights[{i}]", array) for i, array in enumerate(weights)]
        return dict(zip(_names(arrays, bidirectional), arrays, strict=True))
    arrays = {name: _array(f"weights[{name!r}]", array) for name, array in weights.items()}
    missing = [name for name in Network(SMALLEST).shapes if name not in arrays]
    if missing:
        raise ValueError(f"weights has {list(arrays)}, but not {missing}; pass all weights.")
    known = Network(sizes_of(arrays)).shapes
    unknown = [name for name in arrays if name not in known]
    if unknown:
        raise ValueError(
            f"weights has the unknown names {unknown}; the names of such a network are "
            f"{list(known)}."
        )
    return {name: arrays[name] for name in known if name in arrays}


def agreed(weights, parameters):
    """The parameters that weights ask for and those given, which must agree with them."""
    sizes = sizes_of(weights)
    tokens = sizes.vocabulary_size is not None
    shown = {"units": sizes.units, "bidirectional": sizes.bidirectional}
    if tokens:
        shown |= {
            "embedding_dim": sizes.n_features,
            "vocabulary_size": sizes.vocabulary_size,
            "bigrams": sizes.bigrams,
        }
    for name, value in shown.items():
        given = parameters.get(name, value)
        given = several(given) if name == "units" else given
        open_vocabulary = name == "vocabulary_size" and given is None
        if given != value and not open_vocabulary:
            raise ValueError(
                f"{name}={parameters[name]!r} disagrees with the weights, which are those of "
                f"{name}={value!r}. Leave {name} out, or pass other weights."
            )
    kind = "tokens" if tokens else "series"
    if parameters.get("input", "auto") not in ("auto", kind):
        raise ValueError(
            f"input={parameters['input']!r} disagrees with the weights, which have "
            f"{'an' if tokens else 'no'} embedding. Leave input out."
        )
    _check_pooling(weights, parameters, sizes)
    if len(sizes.units) == 1:
        shown["units"] = sizes.units[0]
    return {"dtype": _precision(weights)} | shown | parameters


def given_vectors(estimator, raw):
    """The parameter ``embedding_init`` as an array (V, E), or None."""
    if estimator.embedding_init is None:
        return None
    if not raw.are_tokens(estimator.input):
        raise ValueError(
            "embedding_init has vectors of token ids, but X contains float series, which have no "
            "embedding. Pass token ids, or set embedding_init=None."
        )
    array = _array("embedding_init", estimator.embedding_init)
    if array.ndim != 2:
        raise ValueError(f"embedding_init has shape {array.shape}; pass a row for each token id.")
    if estimator.vocabulary_size not in (None, len(array)):
        raise ValueError(
            f"vocabulary_size={estimator.vocabulary_size} disagrees with embedding_init, which has "
            f"{len(array)} rows. Leave vocabulary_size out, or pass a row for each token id."
        )
    array = array.astype(estimator.dtype)
    assert_all_finite(array, input_name="embedding_init")
    return array


def _check_pooling(weights, parameters, sizes):
    """The weights show how many states the head reads, but not which."""
    rows, n_states = len(weights["head/kernel"]), sizes.n_states
    names = several(parameters.get("pooling", POOLINGS))
    if rows != len(names) * n_states:
        given = f"pooling={parameters['pooling']!r}" if "pooling" in parameters else "The default"
        raise ValueError(
            f"{given} reads {len(names)} times {n_states} states, but the head has {rows} rows. "
            "Pass as pooling what the head was trained to read, such as 'last'."
        )


def _precision(weights):
    doubles = all(array.dtype == np.float64 for array in weights.values())
    return "float64" if doubles else "float32"


def _array(name, given):
    """An array of finite numbers with one or two axes; of a list of numbers in single precision."""
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise ValueError(f"{name} is not an array: {error}") from error
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} has dtype {array.dtype}; pass an array of floats.")
    if array.ndim not in (1, 2) or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; weights have one or two axes.")
    assert_all_finite(array, input_name=name)
    return array if hasattr(given, "dtype") else array.astype(np.float32)


def _names(arrays, bidirectional):
    """The names of weights in a list."""
    entry = ENTRIES[len(arrays) % OF_LAYER]
    n_readings = (len(arrays) - len(entry) - HEAD) // OF_LAYER
    if n_readings < 1:
        raise ValueError(
            f"weights has {len(arrays)} arrays; the least is kernel, recurrent kernel and bias of "
            "a layer, and kernel and bias of the head."
        )
    if bidirectional is None:
        bidirectional = n_readings % 2 == 0 and _read_both_ways(arrays[len(entry) :])
    if bidirectional and n_readings % 2:
        raise ValueError(
            f"bidirectional=True disagrees with the weights, whose {n_readings} sets of kernel, "
            "recurrent kernel and bias are not an even number. Leave bidirectional out."
        )
    sizes = Sizes(
        vocabulary_size=1 if entry else None,
        n_features=1,
        units=(1,) * (n_readings // 2 if bidirectional else n_readings),
        n_outputs=1,
        bidirectional=bool(bidirectional),
        bigrams=int("bigrams" in entry),
    )
    return Network(sizes).shapes


def _read_both_ways(arrays):
    """Whether the second kernel reads what the first one does, and not its states."""
    kernel, _, bias, second, *_ = arrays
    both, stacked = len(second) == len(kernel), len(second) == len(bias)
    if both and stacked:
        raise ValueError(
            "weights may be those of one layer that reads both ways or of two layers, as all have "
            f"{len(bias)} rows. Pass bidirectional=True or False."
        )
    return both
