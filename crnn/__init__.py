"""Simple recurrent networks for CPUs, with a scikit-learn face."""

from crnn._classifier import SimpleRNNClassifier
from crnn._layer import SimpleRNN
from crnn._version import __version__

__all__ = ["SimpleRNN", "SimpleRNNClassifier", "__version__"]
