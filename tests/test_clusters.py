"""The bits of a local run over joblib's backends and over the workers of Dask."""

from contextlib import contextmanager
from copy import copy

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from common import assert_same_weights
from crnn import SimpleRNNClassifier
from crnn.datasets import make_reviews
from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer

TEXTS, Y = make_reviews(300, random_state=0)
TEXTS = np.array(TEXTS, dtype=object)
PIPELINE = make_pipeline(
    SequenceVectorizer(maxlen=40), SimpleRNNClassifier(8, max_iter=2, random_state=0, n_jobs=-1)
)
GRID = {"simplernnclassifier__units": [4, 8], "simplernnclassifier__learning_rate": [2e-3, 2e-2]}


@pytest.fixture(scope="module")
def client():
    """Two worker processes of Dask."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client


@contextmanager
def dask_backend(request):
    request.getfixturevalue("client")
    with parallel_config(backend="dask"):
        yield


@contextmanager
def loky_backend(request):
    with parallel_config(backend="loky", n_jobs=2):
        yield


@contextmanager
def ray_backend(request):
    ray = pytest.importorskip("ray", reason="ray is not installed")
    from ray.util.joblib import register_ray

    register_ray()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    with parallel_config(backend="ray"):
        yield
    ray.shutdown()


BACKENDS = [
    dask_backend,
    pytest.param(loky_backend, marks=pytest.mark.slow),
    pytest.param(ray_backend, marks=[pytest.mark.slow, pytest.mark.filterwarnings("default")]),
]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_search_gives_the_bits_of_the_local_run(backend, request):
    search = GridSearchCV(PIPELINE, GRID, cv=2)
    local = search.fit(TEXTS, Y)
    scores = local.cv_results_["mean_test_score"]
    best, of_folds = local.best_estimator_, cross_val_score(PIPELINE, TEXTS, Y, cv=3)
    with backend(request):
        search = GridSearchCV(PIPELINE, GRID, cv=2).fit(TEXTS, Y)
        np.testing.assert_array_equal(search.cv_results_["mean_test_score"], scores)
        assert search.best_params_ == local.best_params_
        assert_same_weights(search.best_estimator_[-1], best[-1])
        np.testing.assert_array_equal(cross_val_score(PIPELINE, TEXTS, Y, cv=3), of_folds)


def test_a_pipeline_over_the_partitions_of_frames_and_bags(client):
    dataframe = pytest.importorskip("dask.dataframe", reason="dask.dataframe is not installed")
    import pandas as pd
    from dask import bag

    model = clone(PIPELINE).fit(TEXTS, Y)
    expected = model.predict_proba(TEXTS)[:, 1]
    once = client.scatter(model, broadcast=True)
    frame = dataframe.from_pandas(pd.DataFrame({"text": list(TEXTS)}), npartitions=5)
    of_frame = frame.map_partitions(
        lambda part, model: pd.Series(model.predict_proba(part["text"])[:, 1], index=part.index),
        once,
        meta=("probability", "f4"),
    )
    np.testing.assert_array_equal(of_frame.compute(), expected)
    of_bag = bag.from_sequence(list(TEXTS), npartitions=5).map_partitions(
        lambda part, model: model.predict_proba(list(part))[:, 1].tolist(), model=once
    )
    np.testing.assert_array_equal(np.array(of_bag.compute(), "f4"), expected)


def train(model, texts, y):
    ids = HashingSequenceVectorizer(n_features=512, maxlen=40).transform(texts)
    return copy(model).partial_fit(ids, y, classes=[0, 1])


def test_parts_that_train_one_model_from_worker_to_worker(client):
    new = SimpleRNNClassifier(8, vocabulary_size=512, batch_size=32, random_state=0)
    parts = [(TEXTS[start::3], Y[start::3]) for start in range(3)]
    local, models = new, [new]
    for part in parts:
        local = train(local, *part)
        models.append(client.submit(train, models[-1], *part, pure=False))
    models = client.gather(models[1:])
    assert [model.n_iter_ for model in models] == [1, 2, 3]  # a copy leaves the earlier one alone
    assert_same_weights(models[-1], local)
    assert not hasattr(new, "weights_")


def test_errors_of_a_worker_arrive_as_they_are(client):
    options = {"activation": "relu", "optimizer": "sgd", "learning_rate": 1e30}
    diverging = SimpleRNNClassifier(4, **options, random_state=0)
    series = np.random.default_rng(0).uniform(0, 100, size=(40, 5, 2))
    for X, message in (
        (series, "Lower learning_rate"),
        ([[1, 2], [3, -4]] * 20, "X.1. at timestep 1"),
    ):
        with pytest.raises(ValueError, match=message):
            client.submit(diverging.fit, X, np.arange(40) % 2).result()
