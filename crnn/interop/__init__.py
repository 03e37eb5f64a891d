"""Fitted models in the formats of other libraries, which are imported when they are needed."""

from crnn.interop._onnx.model import to_onnx
from crnn.interop._onnx.pipelines import register_skl2onnx
from crnn.interop._safetensors import load_safetensors, save_safetensors

__all__ = ["load_safetensors", "register_skl2onnx", "save_safetensors", "to_onnx"]
