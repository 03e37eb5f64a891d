"""Weights in files of safetensors, which many libraries read."""

from typing import IO

import numpy as np
from sklearn.utils.validation import check_is_fitted

from crnn._estimators.base import BaseSimpleRNN
from crnn._layers.parameters import check_shapes
from crnn._system.extras import require
from crnn._system.files import open_to_read, write_to
from crnn._typing import Path

EXTRA = '"crnn[interop]"'


def save_safetensors(estimator: BaseSimpleRNN, path: Path | IO[bytes]) -> None:
    """Write the weights of a fitted estimator to a file of safetensors.

    The file has the arrays of ``weights_`` by their names, and nothing else; ``estimator.save``
    writes parameters, class labels and the state of the training as well.

    Parameters
    ----------
    estimator : SimpleRNNClassifier or SimpleRNNRegressor
        A fitted estimator.
    path : str, bytes, path or binary file
        The file; an old one is replaced.

    Raises
    ------
    ImportError
        If safetensors is not installed.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If the estimator has no ``weights_``, or if the file is open for text.

    See Also
    --------
    crnn.interop.load_safetensors : The way back.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from crnn import SimpleRNNClassifier
    >>> from crnn.interop import load_safetensors, save_safetensors
    >>> X, y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]], [1, 0, 1, 0]
    >>> clf = SimpleRNNClassifier(8, random_state=0).fit(X, y)
    >>> other = SimpleRNNClassifier(8, random_state=1).fit(X, y)
    >>> with TemporaryDirectory() as folder:
    ...     save_safetensors(clf, Path(folder, "weights.safetensors"))
    ...     load_safetensors(other, Path(folder, "weights.safetensors"))
    >>> bool((other.predict_proba(X) == clf.predict_proba(X)).all())
    True
    """
    _check(estimator)
    save = require("safetensors.numpy", "save_safetensors", EXTRA).save
    content = save({k: np.ascontiguousarray(array) for k, array in estimator.weights_.items()})
    write_to(path, lambda file: file.write(content))


def load_safetensors(estimator: BaseSimpleRNN, path: Path | IO[bytes]) -> None:
    """Replace the weights of a fitted estimator by those of a file of safetensors.

    Parameters
    ----------
    estimator : SimpleRNNClassifier or SimpleRNNRegressor
        A fitted estimator; numbers are converted to its ``dtype``.
    path : str, bytes, path or binary file
        The file, with an array for each name in ``weights_``.

    Raises
    ------
    ImportError
        If safetensors is not installed.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If the estimator has no ``weights_``, or if the file is open for text.
    ValueError
        If the file is damaged, or if its names, shapes or numbers are not those of weights of this
        estimator, which is left as it was.
    OSError
        If the file cannot be read.

    See Also
    --------
    crnn.interop.save_safetensors : Writes such a file.
    """
    _check(estimator)
    arrays = _arrays_in(path)
    check_shapes(
        arrays,
        {name: array.shape for name, array in estimator.weights_.items()},
        f"The file is not of a network like this {type(estimator).__name__}; fit it with the "
        "parameters of the one that was saved.",
    )
    not_floating = [name for name, array in arrays.items() if array.dtype.kind != "f"]
    if not_floating:
        name = not_floating[0]
        raise ValueError(
            f"weights_[{name!r}] has dtype {arrays[name].dtype} in the file; weights are floats. "
            "Save them as float32 or float64."
        )
    estimator.set_weights([arrays[name] for name in estimator.weights_])


def _check(estimator):
    if not isinstance(estimator, BaseSimpleRNN):
        raise TypeError(
            "estimator must be a SimpleRNNClassifier or SimpleRNNRegressor, got "
            f"{type(estimator).__name__}; of a SimpleRNNTransformer pass estimator_."
        )
    check_is_fitted(estimator)


def _arrays_in(path):
    safetensors = require("safetensors", "load_safetensors", EXTRA)
    load = require("safetensors.numpy", "load_safetensors", EXTRA).load
    with open_to_read(path) as file:
        content = file.read()
    try:
        return load(content)
    except (safetensors.SafetensorError, KeyError) as error:
        raise ValueError(
            f"{path} is not a file of safetensors that NumPy can read; save the weights again, as "
            f"float32 or float64. Reason: {error!r}"
        ) from error
