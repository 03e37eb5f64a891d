"""A graph of ONNX under construction."""

import numpy as np

from crnn._system.extras import require

OLDEST_OPSET = 13  # the first in which Softmax and ReduceSum mean what they mean today


class Graph:
    """Nodes and constants, each with a name of its own that begins with ``prefix``."""

    def __init__(self, opset, prefix="crnn"):
        self.onnx = require("onnx", "to_onnx", '"crnn[onnx]"')
        newest = self.onnx.defs.onnx_opset_version()
        if not OLDEST_OPSET <= opset <= newest:
            raise ValueError(
                f"opset={opset} cannot be written; pass one from {OLDEST_OPSET} to {newest}, the "
                f"newest that onnx {self.onnx.__version__} knows."
            )
        self.opset, self.prefix = opset, prefix
        self.nodes, self.constants = [], []

    def add(self, kind, *inputs, outputs=1, domain="", **attributes):
        """Add a node; arrays among the inputs become constants. Gives the names of its outputs."""
        inputs = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        if isinstance(outputs, int):
            name = f"{self.prefix}_{kind}_{len(self.nodes)}"
            outputs = [name, *(f"{name}_{i}" for i in range(1, outputs))]
        node = self.onnx.helper.make_node(
            kind, inputs, outputs, name=f"{outputs[0]}_node", domain=domain, **attributes
        )
        self.nodes.append(node)
        return outputs[0] if len(outputs) == 1 else outputs

    def constant(self, array):
        array = np.asarray(array)
        if array.dtype.kind == "U":
            array = array.astype(object)  # as onnx wants strings
        name = f"{self.prefix}_constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def cast(self, x, dtype):
        return self.add("Cast", x, to=self.element(dtype))

    def element(self, dtype):
        """The number by which ONNX knows a type of NumPy's."""
        return self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    def size(self, x, axis):
        """Length of an axis, of shape (1,)."""
        return self.add("Gather", self.add("Shape", x), np.array([axis]))

    def column(self, x):
        """A vector as a matrix of one column."""
        return self.add("Unsqueeze", x, np.array([1]))
