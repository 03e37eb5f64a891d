"""What a fitted estimator must contain for the kernels to be safe with it.

Pickles and files may be damaged or made up. Whatever comes from one is checked here, before a
kernel that does not look at every number reads it.
"""

from numbers import Integral
from reprlib import repr as short

import numpy as np

from crnn._constraints import is_number
from crnn._data.sequences import MOST_IDS
from crnn._layers.network import SMALLEST, Network, sizes_of
from crnn._layers.parameters import check_shapes
from crnn._layers.pooling import POOLINGS
from crnn._saving.snapshot import is_learned
from crnn._system.sklearn_private import validate_parameter_constraints
from crnn._system.streams import check_stream
from crnn.preprocessing._documents import FIRST_WORD

MEMORIES = {"velocities", "moments", "touched"}  # arrays of an optimizer, by the names of weights


def check_loaded(estimator):
    """Raise ValueError if an estimator, vectorizer or pipeline from a file is not sound."""
    estimator._validate_params()
    if hasattr(estimator, "hidden_states"):
        check_attributes(estimator)
    if hasattr(estimator, "vocabulary_"):
        _check_vocabulary(estimator.vocabulary_)
    if hasattr(estimator, "n_channels_in_"):
        _check_series(vars(estimator))
    if hasattr(estimator, "estimator_"):
        network = estimator.estimator_
        _require(
            hasattr(network, "hidden_states") and hasattr(network, "weights_"),
            f"estimator_ is {short(network)}, not a fitted network",
        )
    for name, step in getattr(estimator, "steps", ()):
        _require(
            isinstance(name, str) and (step in (None, "passthrough") or hasattr(step, "fit")),
            f"the step {short(name)} is {short(step)}, not an estimator",
        )


def _check_series(state):
    """What a transformer of series has learned."""
    for name in {"n_channels_in_", "width_", "step_"} & state.keys():
        _require(
            is_number(state[name], Integral) and state[name] > 0,
            f"{name} is {short(state[name])}, not a positive integer",
        )
    for name in {"mean_", "scale_"} & state.keys():
        array = state[name]
        _require(
            _is_finite(array, "f") and array.shape == (state["n_channels_in_"],),
            f"{name} is not an array of a finite number for each channel",
        )


def _check_vocabulary(vocabulary):
    ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else []
    _require(
        bool(ids)
        and all(is_number(id_, Integral) and FIRST_WORD <= id_ < MOST_IDS for id_ in ids)
        and len(set(ids)) == len(ids),
        f"vocabulary_ is not a dict of different ids from {FIRST_WORD} on",
    )


def check_fitted(estimator):
    """``check_attributes`` of an estimator in memory: the remedy is to fit it again."""
    try:
        check_attributes(estimator)
    except ValueError as error:
        raise ValueError(
            f"This {type(estimator).__name__} has inconsistent attributes; fit it again. "
            f"Reason: {error}"
        ) from error


def check_attributes(estimator):
    """Raise ValueError if fitted attributes are inconsistent."""
    state = vars(estimator)
    if isinstance(state.get("random_state"), np.random.RandomState):
        check_stream(state["random_state"])
    if not any(map(is_learned, state)):
        return  # whose parameters fit will check
    _require("out_activation_" in state, "out_activation_ is missing")
    _check_parameters(estimator)
    _check_weights(state, np.dtype(state["dtype"]))
    _check_columns(state)
    _check_head(estimator, state)
    _check_history(state)
    _check_training(estimator, state.get("_training"))


def _require(condition, message):
    if not condition:
        raise ValueError(message)


def _is_count(value):
    return is_number(value, Integral) and value >= 0


def _or_none(rule):
    holds, wanted = rule
    return lambda value: value is None or holds(value), f"{wanted} or None"


# What entries of ``_training`` must be: a test, and what it asks for.
COUNT = _is_count, "a count"
DICT = lambda value: isinstance(value, dict), "a dict"
SEED = lambda value: _is_count(value) and value < 2**32, "an integer below 2**32"
FLOAT = lambda value: isinstance(value, float), "a float"
TRAINING = {
    "rng": (lambda value: isinstance(value, np.random.RandomState), "a RandomState"),
    "split_seed": _or_none(SEED), "optimizer": DICT, "progress": DICT, "plan": _or_none(DICT),
}  # fmt: skip
OPTIMIZER = {
    "rule": (lambda value: value in ("RMSprop", "SGD", "Adam"), "the name of an optimizer"),
    "n_steps": (lambda value: _is_count(value) and value < 2**62, "a count"),
    "learning_rate_factor": (lambda value: is_number(value) and value > 0, "a positive number"),
}
PROGRESS = {"best": FLOAT, "waited": COUNT, "n_stalls": COUNT}
PLAN = {
    "epochs_left": COUNT, "epochs_done": COUNT, "settings": DICT, "data": _or_none(COUNT),
    "best_weights": _or_none(DICT), "best_optimizer": _or_none(DICT),
}  # fmt: skip


def _check_parameters(estimator):
    missing = [name for name in estimator._get_param_names() if not hasattr(estimator, name)]
    _require(not missing, f"the parameters {missing} are missing")
    estimator._validate_params()


def _check_columns(state):
    width, names = state.get("n_features_in_"), state.get("feature_names_in_")
    _require(
        width is None or _is_count(width), f"n_features_in_ is {width!r}, not a number of features"
    )
    _require(
        names is None
        or (isinstance(names, np.ndarray) and all(isinstance(n, str) for n in names.tolist())),
        "feature_names_in_ is not an array of strings",
    )


def _check_weights(state, dtype):
    weights = state.get("weights_")
    _require(isinstance(weights, dict), f"weights_ is of type {type(weights).__name__}, not dict")
    for name, array in weights.items():
        what = f"weights_[{name!r}]"
        _require(
            isinstance(array, np.ndarray) and array.dtype in (np.float32, np.float64),
            f"{what} is not an array of float32 or float64",
        )
        _require(array.ndim in (1, 2) and array.size > 0, f"{what} has shape {array.shape}")
        finite = np.isfinite(array.astype(dtype, copy=False)).all()
        _require(finite, f"{what} contains NaN or infinity as {dtype}")
    needed = Network(SMALLEST).shapes.keys()
    _require(
        needed <= weights.keys(), f"weights_ has only {list(weights)}, but needs {list(needed)}"
    )
    sizes = sizes_of(weights)
    n_pools = len(weights["head/kernel"]) // sizes.n_states
    _require(0 < n_pools <= len(POOLINGS), f"head/kernel has shape {weights['head/kernel'].shape}")
    network = Network(sizes, pooling=POOLINGS[:n_pools])
    check_shapes(
        weights, network.shapes, "The weights do not belong together; fit the estimator again."
    )
    _require(
        list(weights) == list(network.shapes),
        f"weights_ has the order {list(weights)}, but must have {list(network.shapes)}",
    )


def _check_head(estimator, state):
    K = state.get("n_outputs_")
    _require(
        _is_count(K) and K == len(state["weights_"]["head/bias"]),
        f"n_outputs_ is {K!r}, but head/bias has another length",
    )
    activations = ("identity",)
    if hasattr(estimator, "predict_proba"):
        classes = state.get("classes_")
        _require(
            isinstance(classes, np.ndarray) and classes.ndim == 1,
            "classes_ is not a one-dimensional array",
        )
        _require(
            classes.dtype.kind in "biufSUmMO" and len(set(classes.tolist())) == len(classes),
            "classes_ contains values that cannot be labels, or a label twice",
        )
        _require(
            len(classes) == K or (len(classes), K) == (2, 1),
            f"there are {len(classes)} classes_, which disagree with n_outputs_={K}",
        )
        activations = ("logistic",) if K == 1 else ("logistic", "softmax")
    else:
        _require(
            isinstance(state.get("_one_dimensional"), bool),
            "_one_dimensional is missing or not a bool",
        )
        _require(
            K == 1 or not state["_one_dimensional"], f"y was one-dimensional, but n_outputs_ is {K}"
        )
    _require(
        state["out_activation_"] in activations,
        f"out_activation_ is {state['out_activation_']!r}, not one of {activations}",
    )


def _check_history(state):
    history, n_epochs = state.get("history_"), state.get("n_iter_")
    _require(_is_count(n_epochs), f"n_iter_ is {n_epochs!r}, not a number of epochs")
    _require(
        isinstance(history, dict)
        and (not history or "loss" in history)
        and all(isinstance(name, str) and isinstance(h, list) for name, h in history.items())
        and all(
            len(h) == n_epochs and all(isinstance(x, float) for x in h) for h in history.values()
        ),
        f"history_ does not contain a float for each of {n_epochs} epochs",
    )


def _check_training(estimator, training):
    """What a fit needs to go on, as ``crnn._training.plan`` makes it."""
    weights = estimator.weights_
    _check_entries("_training", training, TRAINING)
    check_stream(training["rng"])
    _check_optimizer(training["optimizer"], weights)
    _check_entries("the progress", training["progress"], PROGRESS)
    plan = training["plan"]
    if plan is None:
        return
    _check_entries("the plan", plan, PLAN)
    _require(
        plan["settings"].keys() <= set(estimator._get_param_names()),
        f"settings of the plan has unknown entries: {list(plan['settings'])}",
    )
    validate_parameter_constraints(estimator._parameter_constraints, plan["settings"], "the plan")
    best = plan["best_weights"]
    if best is None:
        return
    _require(
        {name: np.shape(array) for name, array in best.items()}
        == {name: array.shape for name, array in weights.items()}
        and all(map(_is_finite, best.values())),
        "best_weights of the plan are not finite arrays of the shapes of weights_",
    )
    _check_optimizer(plan["best_optimizer"], weights)


def _check_optimizer(state, weights):
    _check_entries("the optimizer", state, OPTIMIZER, MEMORIES)
    n_steps = state["n_steps"]
    for kind in MEMORIES & state.keys():
        memory = state[kind]
        _require(
            isinstance(memory, dict) and memory.keys() <= weights.keys(),
            f"{kind} of the optimizer is not a dict of arrays by the names of weights_",
        )
        for name, array in memory.items():
            _require(
                _is_finite(array, "i" if kind == "touched" else "f"),
                f"{kind} of {name} is not an array of finite numbers",
            )
            low, high = array.min(initial=0), array.max(initial=0)
            _require(
                kind != "touched" or (low >= 0 and high <= n_steps),
                f"touched of {name} contains steps outside 0 to n_steps={n_steps}",
            )
            _require(
                kind != "velocities" or low >= 0 or state["rule"] == "SGD",
                f"the mean square of {name} is negative",
            )


def _is_finite(array, kind="f"):
    return isinstance(array, np.ndarray) and array.dtype.kind == kind and np.isfinite(array).all()


def _check_entries(what, entries, rules, optional=frozenset()):
    """Check a dict by its rules: for each entry a test, and what it asks for."""
    _require(isinstance(entries, dict), f"{what} is missing or not a dict")
    unknown = list(entries.keys() - rules.keys() - optional)
    _require(not unknown, f"{what} has unknown entries: {unknown}")
    for name, (holds, wanted) in rules.items():
        value = entries.get(name, "missing")
        _require(holds(value), f"{name} of {what} is {short(value)}, not {wanted}")
