"""What skl2onnx asks for to convert pipelines that contain estimators of crnn."""

from importlib import import_module

import numpy as np
from sklearn.base import ClassifierMixin

from crnn._estimators.classifier import SimpleRNNClassifier
from crnn._estimators.regressor import SimpleRNNRegressor
from crnn._estimators.transformer import SimpleRNNTransformer
from crnn._system.extras import require
from crnn.interop._onnx.graph import Graph
from crnn.interop._onnx.network import ExportedNetwork
from crnn.interop._onnx.text import ExportedText
from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer

ESTIMATORS = (SimpleRNNClassifier, SimpleRNNRegressor, SimpleRNNTransformer)
VECTORIZERS = (SequenceVectorizer, HashingSequenceVectorizer)


def register_skl2onnx() -> None:
    """Teach skl2onnx the estimators and vectorizers of crnn.

    After that ``skl2onnx.convert_sklearn`` and ``skl2onnx.to_onnx`` take them, also as steps of
    pipelines. The options of classifiers are ``zipmap`` and ``output_class_labels``.

    A vectorizer is converted if ONNX Runtime gives the same ids for every text: with
    ``lowercase=False``, since its lower-casing is not Python's, and otherwise with the default
    analysis. Anything else is refused by an error that says why.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    See Also
    --------
    crnn.interop.to_onnx : Conversion of a single estimator, without skl2onnx.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skl2onnx import to_onnx
    >>> from crnn import SimpleRNNRegressor
    >>> from crnn.interop import register_skl2onnx
    >>> register_skl2onnx()
    >>> X = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    >>> pipeline = make_pipeline(StandardScaler(), SimpleRNNRegressor(4)).fit(X, X.sum(axis=1))
    >>> [output.name for output in to_onnx(pipeline, X[:1]).graph.output]
    ['variable']
    """
    update = require("skl2onnx", "register_skl2onnx", '"crnn[interop]"').update_registered_converter
    choices = {
        "zipmap": [True, False, "columns"],
        "output_class_labels": [False, True],
        "nocl": [False],
    }
    for cls in (*ESTIMATORS, *VECTORIZERS):
        options = choices if issubclass(cls, ClassifierMixin) else None
        update(cls, f"Crnn{cls.__name__}", _declare, _convert, options=options)


def _exported(model):
    return ExportedText(model) if isinstance(model, VECTORIZERS) else ExportedNetwork(model)


def _declare(operator):
    """Check the input and set the types of the outputs: what skl2onnx calls first."""
    exported = _exported(operator.raw_operator)
    _check_input(exported, operator)
    for variable, (dtype, shape) in zip(operator.outputs, exported.outputs.values(), strict=True):
        variable.type = _type(dtype)([None, *shape])


def _type(dtype):
    types = import_module("skl2onnx.common.data_types")
    return {
        np.dtype(object): types.StringTensorType,
        np.dtype(np.int64): types.Int64TensorType,
        np.dtype(np.float32): types.FloatTensorType,
    }[dtype]


def _check_input(exported, operator):
    name, kinds = type(operator.raw_operator).__name__, exported.kinds_of_input
    if len(operator.inputs) != 1:
        raise ValueError(
            f"{name} reads one input, but there are {len(operator.inputs)}. Declare one initial "
            "type for all columns."
        )
    found = operator.inputs[0].type
    if not any(kind in type(found).__name__ for kind in kinds):
        raise ValueError(
            f"This {name} cannot read a {type(found).__name__}. Declare an initial type of one of "
            f"the kinds {', '.join(kinds)}, or convert in a step before."
        )
    exported.check_shape(found.shape)


def _convert(scope, operator, container):
    """Add the nodes of an estimator: what skl2onnx calls then."""
    model, [source] = operator.raw_operator, operator.inputs
    graph = Graph(container.target_opset, scope.get_unique_operator_name(type(model).__name__))
    exported = _exported(model)
    X = exported.entrance(graph, source.full_name, source.type.shape)
    for output, variable in zip(exported.nodes(graph, X), operator.outputs, strict=True):
        graph.add("Identity", output, outputs=[variable.full_name])
    container.initializers.extend(graph.constants)
    container.nodes.extend(graph.nodes)
    container.node_domain_version_pair_sets |= {("", graph.opset), *exported.domains}
