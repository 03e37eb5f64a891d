"""Models to and from other libraries, none of which is imported before a function needs it."""

from crnn.interop._keras import from_keras, to_keras
from crnn.interop._torch import from_torch, to_torch

__all__ = ["from_keras", "from_torch", "to_keras", "to_torch"]
