"""Fitted estimators in files that contain numbers and text, and nothing that can be executed.

A file is a sealed archive of arrays. Its member ``header`` is JSON: the format, the class, the
parameters and the fitted attributes, in which ``{"array": name}`` stands for another member.
"""

import json
import os
import struct
from zipfile import BadZipFile

import numpy as np
from sklearn import config_context

from crnn._saving.checks import check_attributes
from crnn._saving.snapshot import is_learned
from crnn._system.archive import read_archive, write_archive
from crnn._system.files import open_to_read, write_to
from crnn._system.sklearn_private import SIMPLE_METHODS
from crnn._system.streams import check_stream
from crnn._version import __version__

FORMAT, FORMAT_VERSION = "crnn estimator", 1

# What reading a damaged file may raise. All else, such as a disk that fails, memory that ends or
# what a signal handler raises, says nothing about the file.
DAMAGE = (
    ArithmeticError, AttributeError, BadZipFile, EOFError, LookupError, NotImplementedError,
    RecursionError, TypeError, ValueError, struct.error,
)  # fmt: skip


def save(estimator, target):
    """Write a fitted estimator to a path or an open file."""
    estimator._validate_params()  # set since the fit, maybe to what load would refuse
    arrays = {"header": None}  # which comes first
    parameters = estimator.get_params(deep=False)
    if "callbacks" in parameters:
        parameters["callbacks"] = None  # functions
    if _holds_functions(parameters.get("scoring")):
        parameters["scoring"] = None
    attributes = {k: v for k, v in vars(estimator).items() if is_learned(k)}
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "crnn_version": __version__,
        "class": type(estimator).__name__,
        "parameters": _encode(parameters, "parameters", arrays),
        "attributes": _encode(attributes, "attributes", arrays),
        "requests": _requests(estimator),
    }
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    write_to(target, lambda file: write_archive(file, arrays))


def load(cls, source):
    """Read an estimator of class ``cls``, and check all of it before it is one."""
    with open_to_read(source) as file:
        try:
            return _estimator_of(cls, read_archive(file))
        except DAMAGE as error:
            name = source if hasattr(source, "read") else os.fsdecode(source)
            raise ValueError(
                f"{name} is not a file that {cls.__name__}.load can read; save the model again. "
                f"Reason: {error}"
            ) from error


def _estimator_of(cls, arrays):
    header = json.loads(arrays.pop("header").tobytes())
    found = header["format"], header["format_version"], header["class"]
    if found != (FORMAT, FORMAT_VERSION, cls.__name__):
        expected = FORMAT, FORMAT_VERSION, cls.__name__
        raise ValueError(f"its format, version and class are {found}, not {expected}")
    parameters = _decode(header["parameters"], arrays)
    if parameters.get("callbacks") is not None:
        raise ValueError("it contains callbacks, which are functions and cannot be loaded")
    estimator = cls(**parameters)
    attributes = _decode(header["attributes"], arrays)
    if arrays:
        raise ValueError(f"it contains the unknown members {list(arrays)}")
    unknown = [name for name in attributes if not (is_learned(name) and name.isidentifier())]
    if unknown:
        raise ValueError(f"it contains the unknown attributes {unknown}")
    vars(estimator).update(attributes)
    if "out_activation_" not in attributes:
        raise ValueError("it does not contain a fitted model")
    check_attributes(estimator)
    with config_context(enable_metadata_routing=True):
        for method, request in header["requests"].items():
            getattr(estimator, f"set_{method}_request")(**request)
    return estimator


def _requests(estimator):
    """Which metadata the methods of an estimator ask for, where that was set."""
    if not hasattr(estimator, "_metadata_request"):
        return {}
    requests = {
        name: getattr(estimator._metadata_request, name).requests for name in SIMPLE_METHODS
    }
    return {name: dict(request) for name, request in requests.items() if request}


def _holds_functions(scoring):
    """Whether scorers are objects rather than names."""
    if isinstance(scoring, dict):
        scoring = list(scoring.values())
    return callable(scoring) or (
        isinstance(scoring, (list, tuple)) and any(callable(item) for item in scoring)
    )


def _encode(value, name, arrays):
    """JSON for a value; arrays go into ``arrays`` under names that say where they belong."""
    if isinstance(value, np.ndarray):
        if value.dtype == object and all(isinstance(item, str) for item in value.tolist()):
            return {"strings": value.tolist()}
        if value.dtype == object:
            raise ValueError(
                f"{name} contains Python objects, which this format cannot store; use labels that "
                "are all text or all numbers, or pickle the estimator."
            )
        arrays[name] = value
        return {"array": name}
    if isinstance(value, dict):
        pairs = [
            [_encode(k, name, arrays), _encode(v, f"{name}.{k}", arrays)] for k, v in value.items()
        ]
        return {"dict": pairs}
    if isinstance(value, tuple):
        return {"tuple": _encode(list(value), name, arrays)}
    if isinstance(value, list):
        return [_encode(item, f"{name}.{i}", arrays) for i, item in enumerate(value)]
    if isinstance(value, np.random.RandomState):
        generator = value.get_state(legacy=False)["bit_generator"]
        if generator != "MT19937":
            raise ValueError(
                f"{name} uses the bit generator {generator}, but this format can store only "
                "MT19937; use an int."
            )
        return {"RandomState": _encode(list(value.get_state(legacy=True)), name, arrays)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, type) and issubclass(value, np.generic):
        return np.dtype(value).name
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"{name}={value!r} cannot be saved in this format; pickle the estimator.")


def _decode(value, members):
    if isinstance(value, list):
        return [_decode(item, members) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "array":
        return members.pop(content)
    if kind == "strings":
        if not all(isinstance(item, str) for item in content):
            raise ValueError("it contains labels that are marked as text but are not text")
        return np.array(content, dtype=object)
    if kind == "tuple":
        return tuple(_decode(content, members))
    if kind == "dict":
        return {_decode(k, members): _decode(v, members) for k, v in content}
    if kind == "RandomState":
        stream = np.random.RandomState()
        stream.set_state(tuple(_decode(content, members)))
        check_stream(stream)
        return stream
    raise ValueError(f"it contains a value of the unknown kind {kind!r}")
