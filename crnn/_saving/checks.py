"""What a fitted estimator must contain for the kernels to be safe with it.

Pickles and files may be damaged or made up. Whatever comes from one is checked here, before a
kernel that does not look at every number reads it.
"""

from numbers import Integral

import numpy as np

from crnn._constraints import is_number
from crnn._layers.network import Network, Sizes, sizes_of
from crnn._layers.parameters import check_shapes
from crnn._layers.pooling import POOLINGS
from crnn._saving.snapshot import is_learned
from crnn._system.sklearn_private import validate_parameter_constraints
from crnn._system.streams import check_stream

RULES = ("RMSprop", "SGD", "Adam")
MEMORIES = ("velocities", "moments", "touched")


def check_state(estimator):
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
    _require(
        isinstance(state.get("_rng"), np.random.RandomState),
        "the random stream _rng is not a RandomState",
    )
    check_stream(state["_rng"])
    arrays = state["weights_"]
    _check_optimizer(state.get("_optimizer_state"), arrays)
    _check_progress(state.get("_progress"))
    seed = state.get("_split_seed", "missing")
    _require(
        seed is None or (_is_count(seed) and seed < 2**32),
        f"the seed of the held-out samples, _split_seed, is {seed!r}, not an integer below 2**32",
    )
    if "_plan" in state:
        _check_plan(estimator, state["_plan"], arrays)


def _require(condition, message):
    if not condition:
        raise ValueError(message)


def _is_count(value):
    return is_number(value, Integral) and value >= 0


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
    needed = Network(Sizes(None, 1, (1,), 1)).parameters.keys()
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
        several = state.get("_multilabel")
        _require(isinstance(several, bool), f"_multilabel is {several!r}, not a bool")
        _require(
            len(classes) == (2 if K == 1 and not several else K),
            f"there are {len(classes)} classes_, which disagree with n_outputs_={K}",
        )
        activations = ("logistic",) if several or K == 1 else ("softmax",)
    else:
        _require(isinstance(state.get("_one_dimensional"), bool), "_one_dimensional is not a bool")
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


def _check_optimizer(state, arrays):
    _require(isinstance(state, dict), "the state of the optimiser is not a dict")
    known = {"rule", "n_steps", "learning_rate_factor", *MEMORIES}
    _require(
        state.keys() <= known,
        f"the state of the optimiser contains unknown entries: {list(state.keys() - known)}",
    )
    _require(state.get("rule") in RULES, f"the rule of the optimiser is not one of {RULES}")
    n_steps, factor = state.get("n_steps"), state.get("learning_rate_factor")
    _require(
        _is_count(n_steps) and n_steps < 2**62,
        f"n_steps of the optimiser is {n_steps!r}, not a count",
    )
    _require(
        is_number(factor) and factor > 0,
        f"learning_rate_factor of the optimiser is {factor!r}, not a positive number",
    )
    for kind in MEMORIES:
        memory = state.get(kind, {})
        _require(
            isinstance(memory, dict) and memory.keys() <= arrays.keys(),
            f"{kind} of the optimiser is not a dict of arrays by the names of weights_",
        )
        for name, array in memory.items():
            _require(
                isinstance(array, np.ndarray)
                and array.dtype.kind == ("i" if kind == "touched" else "f")
                and np.isfinite(array).all(),
                f"{kind} of {name} is not an array of finite numbers",
            )
            if kind == "touched" and array.size:
                _require(
                    0 <= array.min() and array.max() <= n_steps,
                    f"touched of {name} contains steps outside 0 to n_steps={n_steps}",
                )
            if kind == "velocities" and state["rule"] != "SGD" and array.size:
                _require(array.min() >= 0, f"the mean square of {name} is negative")


def _check_progress(progress):
    _require(isinstance(progress, dict), "the plan or the progress of the fit is not a dict")
    for name in ("waited", "n_stalls"):
        _require(_is_count(progress.get(name)), f"{name} of the plan is not a count")
    _require(isinstance(progress.get("best"), float), "best of the plan is not a float")


def _check_plan(estimator, plan, arrays):
    """What is left of a fit that was cut short, as ``new_plan`` makes it."""
    _check_progress(plan)
    for name in ("epochs_left", "epochs_done"):
        _require(_is_count(plan.get(name)), f"{name} of the plan is not a count")
    _check_settings(estimator, plan.get("settings"))
    data = plan.get("data", "missing")
    _require(
        data is None or _is_count(data),
        f"the fingerprint of the data in the plan is {data!r}, not an integer",
    )
    best = plan.get("best_parameters")
    if best is None:
        return
    _require(isinstance(best, dict), "best_parameters of the plan is not a dict")
    _require(
        {name: np.shape(array) for name, array in best.items()}
        == {name: array.shape for name, array in arrays.items()}
        and all(isinstance(w, np.ndarray) and w.dtype.kind == "f" for w in best.values())
        and all(np.isfinite(w).all() for w in best.values()),
        "best_parameters of the plan are not finite arrays of the shapes of weights_",
    )
    _check_optimizer(plan.get("best_optimizer"), arrays)


def _check_settings(estimator, settings):
    """The parameters with which a fit began."""
    names = estimator._get_param_names()
    _require(isinstance(settings, dict), "settings of the plan are not a dict")
    _require(
        settings.keys() <= set(names),
        f"settings of the plan contain unknown parameters: {list(settings.keys() - set(names))}",
    )
    validate_parameter_constraints(estimator._parameter_constraints, settings, "the plan")
