"""Estimators and values as JSON, with their arrays beside it.

An estimator is its class, its parameters, its fitted attributes, and what was set for metadata
routing and for the output of ``transform``. ``{"array": name}`` stands for an array.
"""

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator

from crnn._saving.checks import check_loaded
from crnn._saving.snapshot import is_learned
from crnn._system.sklearn_private import OUTPUT_CONFIG, SIMPLE_METHODS
from crnn._system.streams import check_stream

CODES = np.typecodes["AllInteger"] + np.typecodes["Float"]
TYPES = {np.dtype(code).name: np.dtype(code).type for code in CODES}

OUTPUTS = [{}, *({"transform": kind} for kind in ("default", "pandas", "polars"))]


class OtherClassError(ValueError):
    """A file of an estimator that is not of the class asked for."""


class Encoder:
    """Describes estimators of ``classes``, by name; collects the arrays, by where they belong."""

    def __init__(self, classes, optimizer):
        self.classes, self.optimizer = classes, optimizer
        self.arrays = {}

    def describe(self, estimator, place=""):
        kind = type(estimator)
        if self.classes.get(kind.__name__) is not kind:
            raise ValueError(
                f"{place[:-1] or 'estimator'}={estimator!r} cannot be saved in this format, which "
                f"is for {', '.join(self.classes)}; pickle it."
            )
        if not self.optimizer and "_training" in vars(estimator):
            estimator = estimator._without_optimizer()
        estimator._validate_params()  # set since the fit, maybe to what load would refuse
        attributes = {k: v for k, v in vars(estimator).items() if is_learned(k)}
        return {
            "class": kind.__name__,
            "parameters": self.encode(_parameters(estimator), f"{place}parameters"),
            "attributes": self.encode(attributes, f"{place}attributes"),
            "requests": _requests(estimator),
            "output": dict(vars(estimator).get(OUTPUT_CONFIG, {})),
        }

    def encode(self, value, name):
        if isinstance(value, np.ndarray):
            if value.dtype == object and all(isinstance(item, str) for item in value.tolist()):
                return {"strings": value.tolist()}
            if value.dtype == object:
                raise ValueError(
                    f"{name} contains Python objects, which this format cannot store; use labels "
                    "that are all text or all numbers, or pickle the estimator."
                )
            self.arrays[name] = value
            return {"array": name}
        if isinstance(value, dict):
            items = value.items()
            return {
                "dict": [[self.encode(k, name), self.encode(v, f"{name}.{k}")] for k, v in items]
            }
        if isinstance(value, tuple):
            return {"tuple": self.encode(list(value), name)}
        if isinstance(value, list):
            return [self.encode(item, f"{name}.{i}") for i, item in enumerate(value)]
        if isinstance(value, np.random.RandomState):
            generator = value.get_state(legacy=False)["bit_generator"]
            if generator != "MT19937":
                raise ValueError(
                    f"{name} uses the bit generator {generator}, but this format can store only "
                    "MT19937; use an int."
                )
            return {"RandomState": self.encode(list(value.get_state(legacy=True)), name)}
        if isinstance(value, BaseEstimator):
            return {"estimator": self.describe(value, f"{name}.")}
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, np.dtype):
            value = value.type
        if isinstance(value, type) and value in TYPES.values():
            return {"type": np.dtype(value).name}
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise ValueError(f"{name}={value!r} cannot be saved in this format; pickle the estimator.")


class Decoder:
    """Makes estimators of ``classes``, by name, and checks them; uses up the arrays."""

    def __init__(self, classes, arrays):
        self.classes, self.arrays = classes, arrays

    def restore(self, header):
        name = header["class"]
        if name not in self.classes:
            raise OtherClassError(f"it holds a {name}, not a {' or '.join(self.classes)}")
        parameters = self.decode(header["parameters"])
        if parameters.get("callbacks") is not None:
            raise ValueError("it contains callbacks, which are functions and cannot be loaded")
        if "steps" in parameters:
            parameters["steps"] = list(parameters["steps"].items())
        estimator = self.classes[name](**parameters)
        attributes = self.decode(header["attributes"])
        unknown = [name for name in attributes if not (is_learned(name) and name.isidentifier())]
        if unknown:
            raise ValueError(f"it contains the unknown attributes {unknown}")
        vars(estimator).update(attributes)
        check_loaded(estimator)
        with config_context(enable_metadata_routing=True):
            for method, request in header["requests"].items():
                getattr(estimator, f"set_{method}_request")(**request)
        if header["output"] not in OUTPUTS:
            raise ValueError(f"its output of transform is {header['output']}")
        if header["output"]:
            estimator.set_output(**header["output"])
        return estimator

    def decode(self, value):
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        ((kind, content),) = value.items()
        if kind == "array":
            return self.arrays.pop(content)
        if kind == "strings":
            if not all(isinstance(item, str) for item in content):
                raise ValueError("it contains labels that are marked as text but are not text")
            return np.array(content, dtype=object)
        if kind == "tuple":
            return tuple(self.decode(content))
        if kind == "dict":
            return {self.decode(k): self.decode(v) for k, v in content}
        if kind == "type":
            return TYPES[content]
        if kind == "estimator":
            return self.restore(content)
        if kind == "RandomState":
            stream = np.random.RandomState()
            stream.set_state(tuple(self.decode(content)))
            check_stream(stream)
            return stream
        raise ValueError(f"it contains a value of the unknown kind {kind!r}")


def _parameters(estimator):
    """The parameters of an estimator but for functions that a file may leave out."""
    parameters = estimator.get_params(deep=False)
    if "callbacks" in parameters:
        parameters["callbacks"] = None
    if _holds_functions(parameters.get("scoring")):
        parameters["scoring"] = None
    if "steps" in parameters:  # of a pipeline, whose names say where something cannot be saved
        parameters["steps"] = dict(parameters["steps"])
    return parameters


def _holds_functions(scoring):
    """Whether scorers are objects rather than names."""
    if isinstance(scoring, dict):
        scoring = list(scoring.values())
    return callable(scoring) or (
        isinstance(scoring, (list, tuple)) and any(callable(item) for item in scoring)
    )


def _requests(estimator):
    """Which metadata the methods of an estimator ask for, where that was set."""
    if not hasattr(estimator, "_metadata_request"):
        return {}
    requests = {
        name: getattr(estimator._metadata_request, name).requests for name in SIMPLE_METHODS
    }
    return {name: dict(request) for name, request in requests.items() if request}
