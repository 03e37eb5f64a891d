"""Fitted estimators in files that hold numbers and text, and nothing that could be executed.

A file is an npz archive without pickles. Its member ``header`` is JSON: the format, the class, the
parameters and the fitted attributes, in which ``{"array": name}`` stands for another member.
"""

import json
import os
from zipfile import BadZipFile

import numpy as np

from crnn._parameters import ATTRIBUTES, from_attributes, shapes
from crnn._version import __version__

FORMAT, FORMAT_VERSION = "crnn estimator", 1
PRIVATE = ("_rng", "_optimizer_state", "_multilabel", "_one_dimensional")


def save(estimator, path):
    """Write a fitted estimator."""
    arrays = {}
    parameters = estimator.get_params(deep=False)
    parameters["callbacks"] = None  # functions
    attributes = {k: v for k, v in vars(estimator).items() if k.endswith("_") or k in PRIVATE}
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "crnn_version": __version__,
        "class": type(estimator).__name__,
        "parameters": _encode(parameters, "parameters", arrays),
        "attributes": _encode(attributes, "attributes", arrays),
    }
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    part = f"{os.fspath(path)}.part"
    with open(part, "wb") as file:
        np.savez(file, header=text, **arrays)
    os.replace(part, path)  # so that an older file is lost only to a whole new one


def load(cls, path):
    """Read an estimator of class ``cls``, and check all of it before it is one."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            members = {name: archive[name] for name in archive.files}
        header = json.loads(members["header"].tobytes())
        found = header["format"], header["format_version"], header["class"]
        if found != (FORMAT, FORMAT_VERSION, cls.__name__):
            raise ValueError(f"it is of {found}, not of {(FORMAT, FORMAT_VERSION, cls.__name__)}")
        estimator = cls(**_decode(header["parameters"], members))
        estimator._validate_params()
        vars(estimator).update(_decode(header["attributes"], members))
        _check(estimator)
    except (ValueError, TypeError, KeyError, AttributeError, EOFError, BadZipFile) as error:
        raise ValueError(
            f"{path} is no file that {cls.__name__}.load can read: {error}. Save the model again."
        ) from error
    return estimator


def _encode(value, name, arrays):
    """JSON for a value; arrays go into ``arrays`` under names that say where they belong."""
    if isinstance(value, np.ndarray):
        if value.dtype == object and all(isinstance(item, str) for item in value.tolist()):
            return {"strings": value.tolist()}
        if value.dtype == object:
            raise ValueError(
                f"{name} holds Python objects, which this format does not; use labels that are all "
                "text or all numbers, or pickle the estimator."
            )
        arrays[name] = value
        return {"array": name}
    if isinstance(value, dict):
        pairs = [
            [_encode(k, name, arrays), _encode(v, f"{name}.{k}", arrays)] for k, v in value.items()
        ]
        return {"dict": pairs}
    if isinstance(value, (list, tuple)):
        return [_encode(item, f"{name}.{i}", arrays) for i, item in enumerate(value)]
    if isinstance(value, np.random.RandomState):
        return {"RandomState": _encode(value.get_state(legacy=True), name, arrays)}
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
        return members[content]
    if kind == "strings":
        return np.array(content, dtype=object)
    if kind == "dict":
        return {_decode(k, members): _decode(v, members) for k, v in content}
    if kind == "RandomState":
        stream = np.random.RandomState()
        stream.set_state(tuple(_decode(content, members)))
        return stream
    raise ValueError(f"it holds a value of the unknown kind {kind!r}")


def _check(estimator):
    """Refuse weights that do not belong together."""
    parameters = from_attributes(estimator)
    embedding = parameters.get("embedding")
    wanted = shapes(
        vocabulary_size=None if embedding is None else len(embedding),
        n_features=len(parameters["kernel"]),
        units=estimator.units,
        n_outputs=estimator.n_outputs_,
    )
    found = {name: array.shape for name, array in parameters.items()}
    if found != wanted:
        raise ValueError(f"its weights have the shapes {found}, where {wanted} belong together")
    for name, array in parameters.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{ATTRIBUTES[name]} holds numbers that are infinite or NaN")
