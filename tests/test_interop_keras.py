"""Keras models compute what the estimators do, and come back as they were."""

import numpy as np
import pytest
from hypothesis import given

from common import small
from crnn import SimpleRNNClassifier, SimpleRNNRegressor
from crnn.interop import from_keras, to_keras
from drawn_networks import SETTINGS, assert_same, networks, outputs_of, with_maxima_below_zero

keras = pytest.importorskip("keras", reason="keras is not installed; see `make test-interop`")
from keras import layers  # noqa: E402

DOUBLE = keras.backend.backend() == "tensorflow"

pytestmark = [
    pytest.mark.filterwarnings("ignore:Layer 'global_max_pooling1d:UserWarning"),  # drops the mask
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # of Keras
]


def in_single_precision(estimator):
    if estimator.dtype == "float64" and not DOUBLE:
        with pytest.warns(UserWarning, match="the weights of dtype 'float64' were rounded"):
            return to_keras(estimator)
    return to_keras(estimator)


@SETTINGS
@given(networks())
def test_there_and_back(drawn):
    estimator, X = drawn
    model = in_single_precision(estimator)
    wanted = outputs_of(estimator, X)
    np.testing.assert_allclose(np.asarray(model(X)), wanted, atol=1e-5, rtol=1e-5)
    if len(np.atleast_1d(estimator.pooling)) == 1 and X.ndim == 3:
        assert isinstance(model, keras.Sequential)
    back = from_keras(model)
    if not DOUBLE:
        estimator.weights_ = {n: w.astype("f4") for n, w in estimator.weights_.items()}
    assert_same(estimator, back)


def test_maxima_of_masked_steps():
    estimator, X = with_maxima_below_zero(), np.array([[0, 1, 2], [3, 0, 0], [0, 0, 0]])
    wanted = estimator.predict(X)
    assert (wanted[:2] < -1).all()
    np.testing.assert_allclose(np.asarray(to_keras(estimator)(X))[:, 0], wanted, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"pooling": "last", "vocabulary_size": 5}])
def test_files_of_keras_need_no_crnn(options, tmp_path):
    clf = small(**options).fit([[1, 2], [3]], [0, 1])
    to_keras(clf).save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    X = np.array([[0, 1, 2], [4, 0, 3], [0, 0, 0]])
    np.testing.assert_allclose(again(X)[:, 0], clf.predict_proba(X)[:, 1], atol=1e-6)
    assert_same(clf, from_keras(again))


def chain(*more, head=None, embedding=None, functional=False, **options):
    """A model as users build it."""
    embedding = layers.Embedding(9, 3) if embedding is None else embedding
    recurrent = more or (layers.SimpleRNN(4, **options),)
    head = layers.Dense(1, activation="sigmoid") if head is None else head
    own = [layers.Input((None,), dtype="int32"), embedding, *recurrent, head]
    if not functional:
        return keras.Sequential(own)
    x, *rest = own
    inputs = x
    for layer in rest:
        x = layer(x)
    return keras.Model(inputs, x)


def pooled(pool, **options):
    return layers.SimpleRNN(4, return_sequences=True, **options), pool


X = np.array([[1, 2, 3, 4], [0, 0, 5, 6], [7, 8, 0, 0], [1, 0, 0, 2]])
READ = {
    "the book": lambda: chain(),
    "functional": lambda: chain(functional=True),
    "masks": lambda: chain(embedding=layers.Embedding(9, 3, mask_zero=True)),
    "no biases": lambda: chain(use_bias=False, head=layers.Dense(1, "sigmoid", use_bias=False)),
    "relu": lambda: chain(activation="relu"),
    "dropout": lambda: chain(
        layers.SpatialDropout1D(0.5), layers.SimpleRNN(4, dropout=0.5), layers.Dropout(0.5)
    ),
    "maxima": lambda: chain(*pooled(layers.GlobalMaxPooling1D())),
    "masked means": lambda: chain(
        *pooled(layers.GlobalAveragePooling1D()), embedding=layers.Embedding(9, 3, mask_zero=True)
    ),
    "stacked, both ways": lambda: chain(
        layers.Bidirectional(layers.SimpleRNN(4, return_sequences=True)),
        layers.Bidirectional(layers.SimpleRNN(2)),
        embedding=layers.Embedding(9, 3, mask_zero=True),
    ),
    "softmax": lambda: chain(head=layers.Dense(3, activation="softmax")),
    "softmax of two": lambda: chain(head=layers.Dense(2, activation="softmax")),
    "labels": lambda: chain(head=layers.Dense(3, activation="sigmoid")),
    "numbers": lambda: chain(head=layers.Dense(2)),
}


@pytest.mark.parametrize("kind", READ)
def test_models_as_users_build_them(kind):
    model = READ[kind]()
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.5, w.shape) for w in model.get_weights()])
    wanted = np.asarray(model(X))
    estimator = from_keras(model, n_jobs=1)
    assert isinstance(estimator, SimpleRNNRegressor) == (kind == "numbers")
    np.testing.assert_allclose(outputs_of(estimator, X), wanted, atol=1e-5)


def test_classes():
    model = chain(head=layers.Dense(2, activation="softmax"))
    estimator = from_keras(model, ["b", "a"])
    assert estimator.classes_.tolist() == ["a", "b"]
    np.testing.assert_allclose(estimator.predict_proba(X), np.asarray(model(X))[:, ::-1], atol=1e-6)
    logits = chain(head=layers.Dense(1))
    estimator = from_keras(logits, [0, 1])
    assert isinstance(estimator, SimpleRNNClassifier)
    np.testing.assert_allclose(estimator.decision_function(X), logits(X)[:, 0], atol=1e-6)


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(1)

    def call(self, x):
        return self.inner(x)


def side_by_side():
    """A chain but for one layer that is read twice."""
    inputs = layers.Input((None,), dtype="int32")
    states = layers.SimpleRNN(4, return_sequences=True)(layers.Embedding(9, 3)(inputs))
    pools = [layers.GlobalMaxPooling1D()(states), layers.GlobalMaxPooling1D()(states)]
    return keras.Model(inputs, layers.Dense(1, "sigmoid")(layers.Concatenate()(pools)))


def with_nan():
    model = chain()
    model.set_weights([w * np.nan for w in model.get_weights()])
    return model


REFUSED = {
    "an LSTM": (lambda: chain(layers.LSTM(4)), "'lstm.*' of class LSTM has no place"),
    "a layer between": (lambda: chain(layers.SimpleRNN(4), layers.Dense(3)), "of class Dense has"),
    "masking": (
        lambda: keras.Sequential([
            layers.Input((None, 3)), layers.Masking(), layers.SimpleRNN(4), layers.Dense(1)
        ]),
        "of class Masking has no place",
    ),
    "no head": (
        lambda: keras.Sequential([layers.Input((None, 3)), layers.SimpleRNN(4)]), "The end of the"
    ),
    "elu": (lambda: chain(activation="elu"), "'simple_rnn.*' .* activation 'elu'; crnn has"),
    "a function": (lambda: chain(activation=lambda x: x), "activation '<lambda>'"),
    "a head of relu": (lambda: chain(head=layers.Dense(1, "relu")), "'dense.*activation 'relu'"),
    "one softmax": (lambda: chain(head=layers.Dense(1, "softmax")), "softmax of one output"),
    "backwards": (lambda: chain(go_backwards=True), "go_backwards=True"),
    "a sum": (
        lambda: chain(layers.Bidirectional(layers.SimpleRNN(4), merge_mode="sum")),
        "merge_mode='sum'",
    ),
    "LSTM both ways": (lambda: chain(layers.Bidirectional(layers.LSTM(4))), "is not a SimpleRNN"),
    "two activations": (
        lambda: chain(layers.SimpleRNN(4, return_sequences=True), layers.SimpleRNN(4, "relu")),
        "differ in direction or activation",
    ),
    "all states": (lambda: chain(return_sequences=True), "gives all its states to the head"),
    "masked maxima": (
        lambda: chain(
            *pooled(layers.GlobalMaxPooling1D()), embedding=layers.Embedding(9, 3, mask_zero=True)
        ),
        "'global_max_pooling1d.*' .* ignores the mask",
    ),
    "not built": (lambda: keras.Sequential([layers.SimpleRNN(4)]), "is not built"),
    "a class of its own": (Own, "neither Sequential nor Functional"),
    "no chain": (side_by_side, "neither a chain nor as to_keras|has no place"),
    "a model in it": (
        lambda: chain(keras.Sequential([layers.SimpleRNN(4)])), "of class Sequential has no place"
    ),
    "NaN": (with_nan, "contains NaN"),
    "half precision": (
        lambda: chain(head=layers.Dense(1, "sigmoid", dtype="bfloat16")), "dtype bfloat16; pass"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_models_that_are_refused(kind):
    build, message = REFUSED[kind]
    with pytest.raises(ValueError, match=message):
        from_keras(build())


def test_arguments_that_are_refused():
    with pytest.raises(TypeError, match=r"takes a keras\.Model, not a str"):
        from_keras("model.keras")
    with pytest.raises(ValueError, match=r"has 3 sigmoid outputs.* Leave classes out"):
        from_keras(chain(head=layers.Dense(3, "sigmoid")), [0, 1, 2])
    with pytest.raises(ValueError, match="must be 2 different labels"):
        from_keras(chain(), [0, 1, 2])
