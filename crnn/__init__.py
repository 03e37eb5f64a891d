"""Simple recurrent networks for CPUs, with a scikit-learn face."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from crnn._estimators.classifier import SimpleRNNClassifier
from crnn._estimators.files import load, save
from crnn._estimators.regressor import SimpleRNNRegressor
from crnn._estimators.transformer import SimpleRNNTransformer
from crnn._layers.simple_rnn import SimpleRNN
from crnn._version import __version__
from crnn.inspection import TrainingHistoryDisplay

__all__ = [
    "SimpleRNN",
    "SimpleRNNClassifier",
    "SimpleRNNRegressor",
    "SimpleRNNTransformer",
    "TrainingHistoryDisplay",
    "__version__",
    "load",
    "save",
]

for _public in (
    SimpleRNN,
    SimpleRNNClassifier,
    SimpleRNNRegressor,
    SimpleRNNTransformer,
    TrainingHistoryDisplay,
):
    _public.__module__ = "crnn"  # pickles and lists of trusted types name the public module

_SUBMODULES = ("callbacks", "datasets", "inspection", "interop", "preprocessing")

if TYPE_CHECKING:
    from crnn import callbacks as callbacks
    from crnn import datasets as datasets
    from crnn import inspection as inspection
    from crnn import interop as interop
    from crnn import preprocessing as preprocessing


def __getattr__(name: str) -> Any:
    # Imported on first use, as in scikit-learn.
    if name in _SUBMODULES:
        return import_module(f"crnn.{name}")
    raise AttributeError(f"module 'crnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_SUBMODULES]
