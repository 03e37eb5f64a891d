"""Fitted estimators in files that hold numbers and text, and nothing that could be executed.

A file is an npz archive without pickles. Its member ``header`` is JSON: the format, the class, the
parameters and the fitted attributes, in which ``{"array": name}`` stands for another member. The
comment of the archive, which stands at its end, is the checksum of all bytes before it.
"""

import json
from io import BytesIO
from math import prod
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import numpy as np

from crnn._files import SEAL_SIZE, seal_of, write_atomically
from crnn._state import check_state, is_learned
from crnn._version import __version__

FORMAT, FORMAT_VERSION = "crnn estimator", 1
READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def save(estimator, path):
    """Write a fitted estimator."""
    arrays = {}
    parameters = estimator.get_params(deep=False)
    if "callbacks" in parameters:
        parameters["callbacks"] = None  # functions
    attributes = {k: v for k, v in vars(estimator).items() if is_learned(k)}
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "crnn_version": __version__,
        "class": type(estimator).__name__,
        "parameters": _encode(parameters, "parameters", arrays),
        "attributes": _encode(attributes, "attributes", arrays),
    }
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    write_atomically(path, sealed(header=text, **arrays))


def sealed(**arrays):
    """The bytes of an npz archive with its checksum."""
    file = BytesIO()
    np.savez(file, **arrays)
    with ZipFile(file, "a") as archive:
        archive.comment = bytes(SEAL_SIZE)
    size = file.tell() - SEAL_SIZE
    seal = seal_of(file, size)
    return file.getvalue()[:size] + seal


def load(cls, path):
    """Read an estimator of class ``cls``, and check all of it before it is one."""
    try:
        with open(path, "rb") as file:
            _check_seal(file)
            members = _read_members(file)
        header = json.loads(members["header"].tobytes())
        found = header["format"], header["format_version"], header["class"]
        if found != (FORMAT, FORMAT_VERSION, cls.__name__):
            raise ValueError(f"it is of {found}, not of {(FORMAT, FORMAT_VERSION, cls.__name__)}")
        estimator = cls(**_decode(header["parameters"], members))
        estimator._validate_params()
        attributes = _decode(header["attributes"], members)
        unknown = [name for name in attributes if not is_learned(name)]
        if unknown:
            raise ValueError(f"it holds the unknown attributes {unknown}")
        vars(estimator).update(attributes)
        if "out_activation_" not in attributes:
            raise ValueError("it holds no fitted model")
        check_state(estimator)
    except REFUSED as error:
        raise ValueError(
            f"{path} is no file that {cls.__name__}.load can read: {error}. Save the model again."
        ) from error
    return estimator


# What reading and checking a file raise where it is not as it should be. One that cannot be opened
# at all is the OSError that Python makes of it.
REFUSED = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError,
    EOFError, BadZipFile, NotImplementedError,
)  # fmt: skip


def _check_seal(file):
    size = file.seek(0, 2) - SEAL_SIZE
    if size < 0:
        raise ValueError("it is too short")
    file.seek(size)
    if file.read() != seal_of(file, size):
        raise ValueError("its checksum is not that of its bytes: it is damaged, or not from save")


def _read_members(file):
    """The arrays of an archive; none is allocated before its bytes are seen to be there."""
    members = {}
    with ZipFile(file) as archive:
        for entry in archive.infolist():
            if entry.compress_type != ZIP_STORED or entry.filename in members:
                raise ValueError(f"its member {entry.filename!r} is compressed or there twice")
            with archive.open(entry) as member:
                shape, in_columns, dtype = READERS[np.lib.format.read_magic(member)](member)
                if dtype.hasobject:
                    raise ValueError(f"its member {entry.filename!r} holds pickled objects")
                content = member.read()
            if dtype.itemsize * prod(shape) != len(content):
                raise ValueError(f"its member {entry.filename!r} is not of the size that it says")
            array = np.frombuffer(content, dtype).copy()
            order = "F" if in_columns else "C"
            members[entry.filename.removesuffix(".npy")] = array.reshape(shape, order=order)
    return members


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
