"""Parameters that are numbers: the same rule for everything that takes some."""

import numpy as np
import pytest

from crnn import SimpleRNNClassifier, SimpleRNNRegressor, SimpleRNNTransformer
from crnn.callbacks import EarlyStopping
from crnn.datasets import make_reviews
from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer

X, Y = [[1, 2], [2, 3], [3, 3], [1]], [0, 1, 0, 1]
HUGE = 10**400  # beyond a double

NETWORK = [
    ("units", True), ("units", HUGE), ("embedding_dim", True), ("vocabulary_size", True),
    ("learning_rate", True), ("learning_rate", HUGE), ("learning_rate", np.inf),
    ("learning_rate", np.longdouble("1e4000")), ("power_t", True), ("power_t", HUGE),
    ("momentum", False), ("alpha", np.True_), ("alpha", HUGE), ("clip_norm", True),
    ("clip_norm", HUGE), ("clip_value", HUGE), ("batch_size", True), ("batch_size", HUGE),
    ("max_iter", True), ("max_iter", HUGE), ("validation_fraction", False),
    ("n_iter_no_change", True), ("tol", False), ("tol", HUGE), ("tol", np.nan),
    ("random_state", True), ("n_jobs", True), ("n_jobs", HUGE), ("n_jobs", "2"), ("verbose", HUGE),
    ("scoring", [["accuracy"]]), ("scoring", ["accuracy", 3]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), NETWORK, ids=lambda value: str(value)[:12])
@pytest.mark.parametrize("cls", [SimpleRNNClassifier, SimpleRNNRegressor])
def test_numbers_of_a_network(cls, name, value):
    model = cls(**{name: value})
    before = vars(model).copy()
    with pytest.raises(ValueError, match=f"The '{name}' parameter of {cls.__name__} must be"):
        model.fit(X, Y)
    assert vars(model) == before


@pytest.mark.parametrize("weight", [True, HUGE, np.nan, "1", None, {0: 1.0}], ids=type)
def test_weights_of_classes(weight):
    model = SimpleRNNClassifier(class_weight={0: 1.0, 1: weight})
    with pytest.raises(ValueError, match=r"'class_weight' parameter .* dict of finite numbers"):
        model.fit(X, Y)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: SimpleRNNTransformer(random_state=True).fit(X, Y), "random_state"),
        (lambda: SequenceVectorizer(maxlen=True).fit(["a b"]), "maxlen"),
        (lambda: SequenceVectorizer(min_df=True).fit(["a b"]), "min_df"),
        (lambda: HashingSequenceVectorizer(HUGE).fit(["a b"]), "n_features"),
        (lambda: EarlyStopping(patience=True), "patience"),
        (lambda: EarlyStopping(min_delta=HUGE), "min_delta"),
        (lambda: make_reviews(True), "n_samples"),
        (lambda: make_reviews(random_state=True), "random_state"),
    ],
)
def test_numbers_elsewhere(call, name):
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        call()


def test_numbers_of_numpy_are_numbers():
    options = {"units": np.int64(3), "learning_rate": np.float16(0.01), "tol": np.float32(0)}
    model = SimpleRNNClassifier(**options, max_iter=np.int64(1), verbose=False, scoring=None)
    assert model.fit(X, Y).n_iter_ == 1
