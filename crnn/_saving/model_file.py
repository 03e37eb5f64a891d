"""Fitted estimators in files that contain numbers and text, and nothing that can be executed.

A file is a sealed archive of arrays. Its member ``header`` is JSON: the format and the description
of an estimator, in which ``{"array": name}`` stands for another member.
"""

import json
import os
import struct
from zipfile import BadZipFile

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from crnn._saving.encoding import Decoder, Encoder, OtherClassError
from crnn._system.archive import read_archive, write_archive
from crnn._system.files import open_to_read, write_to
from crnn._version import __version__

FORMAT, FORMAT_VERSION = "crnn estimator", 1

# What reading a damaged file may raise. All else, such as a disk that fails, memory that ends or
# what a signal handler raises, says nothing about the file.
DAMAGE = (
    ArithmeticError, AttributeError, BadZipFile, EOFError, LookupError, NotImplementedError,
    RecursionError, TypeError, ValueError, struct.error,
)  # fmt: skip


def save(classes, estimator, target, optimizer=True):
    """Write a fitted estimator of one of the ``classes``, by name, to a path or an open file.

    Without ``optimizer`` the file has no state of the training, which as a rule takes as much room
    as the weights, or twice as much.
    """
    encoder = Encoder(classes, optimizer)
    description = encoder.describe(estimator)
    _require_fitted(estimator)
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "crnn_version": __version__,
        **description,
    }
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    write_to(target, lambda file: write_archive(file, {"header": text, **encoder.arrays}))


def load(classes, source, reader):
    """Read an estimator of one of the ``classes``, and check all of it before it is one."""
    with open_to_read(source) as file:
        try:
            return _estimator_of(classes, read_archive(file))
        except DAMAGE as error:
            name = source if hasattr(source, "read") else os.fsdecode(source)
            other = isinstance(error, OtherClassError)
            remedy = "use crnn.load" if other else "save the model again"
            raise ValueError(
                f"{name} is not a file that {reader} can read; {remedy}. Reason: {error}"
            ) from error


def _estimator_of(classes, arrays):
    header = json.loads(arrays.pop("header").tobytes())
    found = header["format"], header["format_version"]
    if found != (FORMAT, FORMAT_VERSION):
        raise ValueError(f"its format and version are {found}, not {(FORMAT, FORMAT_VERSION)}")
    estimator = Decoder(classes, arrays).restore(header)
    if arrays:
        raise ValueError(f"it contains the unknown members {list(arrays)}")
    try:
        _require_fitted(estimator)
    except NotFittedError:
        raise ValueError("it does not contain a fitted model") from None
    return estimator


def _require_fitted(estimator):
    """Raise NotFittedError unless an estimator, and each step of a pipeline, is fitted."""
    for _, step in getattr(estimator, "steps", [(None, estimator)]):
        if not isinstance(step, (str, type(None))):
            check_is_fitted(step)
