"""A fitted estimator as a model of ONNX."""

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator

from crnn._constraints import SIZE
from crnn._typing import checked
from crnn._version import __version__
from crnn.interop._onnx.graph import Graph
from crnn.interop._onnx.network import ExportedNetwork

if TYPE_CHECKING:
    from onnx import ModelProto


@checked(opset=SIZE)
def to_onnx(estimator: BaseEstimator, *, opset: int = 17) -> "ModelProto":
    """Convert a fitted estimator to ONNX.

    The model computes what the estimator does, for instance in ONNX Runtime, without Python. Batch
    and timesteps may have any length.

    Parameters
    ----------
    estimator : SimpleRNNClassifier, SimpleRNNRegressor or SimpleRNNTransformer
        A fitted estimator.
    opset : int, default=17
        Version of the operators of ONNX, 13 or newer.

    Returns
    -------
    model : onnx.ModelProto
        With one input, ``X``: int64 token ids ``(batch, timesteps)``, or float32 series ``(batch,
        timesteps, features)``. The outputs have skl2onnx's names: ``label`` and ``probabilities``
        of a classifier; ``variable`` of a regressor, ``(batch, n_outputs)``, or of a transformer,
        ``(batch, units)``. Labels are text or int64, the rest is float32.

    Raises
    ------
    ImportError
        If onnx is not installed.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If the estimator is none of crnn.
    ValueError
        If ``opset`` is older than 13 or newer than the installed onnx, if class labels are
        neither text nor whole numbers, or if a weight is beyond float32.

    See Also
    --------
    crnn.interop.register_skl2onnx : Conversion of whole pipelines.

    Notes
    -----
    The model computes in single precision, whatever ``dtype`` the estimator has. A token id that
    is negative, or beyond a fixed ``vocabulary_size``, is an error of ONNX Runtime.

    Examples
    --------
    >>> from crnn import SimpleRNNClassifier
    >>> from crnn.interop import to_onnx
    >>> X, y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]], [1, 0, 1, 0]
    >>> model = to_onnx(SimpleRNNClassifier(8, random_state=0).fit(X, y))
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']
    """
    exported = ExportedNetwork(estimator)
    graph = Graph(opset)
    helper = graph.onnx.helper
    for name, output in zip(exported.outputs, exported.nodes(graph, "X"), strict=True):
        graph.add("Identity", output, outputs=[name])
    outputs = [
        helper.make_tensor_value_info(name, graph.element(dtype), ["batch", *shape])
        for name, (dtype, shape) in exported.outputs.items()
    ]
    versions = [helper.make_opsetid("", opset)]
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            type(estimator).__name__,
            [_input(exported, graph)],
            outputs,
            graph.constants,
        ),
        opset_imports=versions,
        ir_version=helper.find_min_ir_version_for(versions),
        producer_name="crnn",
        producer_version=__version__,
    )


def _input(exported, graph):
    shape, dtype = ["batch", "timesteps"], np.int64
    if not exported.reads_tokens:
        shape, dtype = [*shape, exported.network.sizes.n_features], np.float32
    return graph.onnx.helper.make_tensor_value_info("X", graph.element(dtype), shape)
