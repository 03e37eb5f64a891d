"""Networks and vectorizers as graphs of ONNX: graph -> layers -> outputs -> model or pipeline."""
