"""Models to and from other libraries, none of which is imported before a function needs it."""

from crnn.interop._keras import from_keras, to_keras
from crnn.interop._onnx.model import to_onnx
from crnn.interop._onnx.pipelines import register_skl2onnx
from crnn.interop._safetensors import load_safetensors, save_safetensors
from crnn.interop._torch import from_torch, to_torch

__all__ = [
    "from_keras",
    "from_torch",
    "load_safetensors",
    "register_skl2onnx",
    "save_safetensors",
    "to_keras",
    "to_onnx",
    "to_torch",
]
