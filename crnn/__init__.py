"""Simple recurrent networks for CPUs, with a scikit-learn face."""

from importlib import import_module

from crnn._classifier import SimpleRNNClassifier
from crnn._display import TrainingHistoryDisplay
from crnn._layer import SimpleRNN
from crnn._regressor import SimpleRNNRegressor
from crnn._transformer import SimpleRNNTransformer
from crnn._version import __version__

__all__ = [
    "SimpleRNN",
    "SimpleRNNClassifier",
    "SimpleRNNRegressor",
    "SimpleRNNTransformer",
    "TrainingHistoryDisplay",
    "__version__",
]


def __getattr__(name):
    # Imported when first used, as scikit-learn does it.
    if name in ("callbacks", "datasets", "preprocessing"):
        return import_module(f"crnn.{name}")
    raise AttributeError(f"module 'crnn' has no attribute {name!r}")
