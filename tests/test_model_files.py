"""Files of fitted estimators: the same model again, from any path or open file."""

import io
import os
import pickle
import stat
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import NotFittedError

from common import BOOK, BOTH, fitted, run_python
from crnn import SimpleRNNClassifier, SimpleRNNRegressor


def by_own_format(model, path):
    model.save(path)
    return type(model).load(path)


def by_joblib(model, path):
    joblib.dump(model, path)
    return joblib.load(path)


def by_pickle(model, path):
    return pickle.loads(pickle.dumps(model))


def by_skops(model, path):
    """Only the class itself is to be trusted."""
    skops_io = pytest.importorskip("skops.io", reason="skops is not installed")
    data, own = skops_io.dumps(model), f"{type(model).__module__}.{type(model).__name__}"
    assert skops_io.get_untrusted_types(data=data) == [own]
    return skops_io.loads(data, trusted=[own])


@BOTH
@pytest.mark.parametrize("kind", ["numbers", "text", "objects", "labels", "series"])
@pytest.mark.parametrize("way", [by_own_format, by_joblib, by_pickle, by_skops])
def test_the_same_model_again(way, kind, network, tmp_path):
    model, X, y = fitted(kind, **network)
    again = way(model, tmp_path / "model.npz")
    assert repr(again) == repr(model)
    assert again.history_ == model.history_
    assert vars(again).keys() == vars(model).keys()
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.predict(X).dtype == model.predict(X).dtype
    np.testing.assert_array_equal(  # the random stream and the optimiser go on as well
        again.partial_fit(X, y).hidden_states(X), model.partial_fit(X, y).hidden_states(X)
    )


@pytest.mark.parametrize(
    "options",
    [
        {"class_weight": {0: 1.0, 1: 2, 2: np.float32(0.5)}},
        BOOK | {"dtype": "float64", "clip_norm": np.float64(1)},
        {"optimizer": "sgd", "momentum": 0.5, "scoring": ["accuracy"], "validation_fraction": 0.2},
    ],
    ids=["class weights", "book", "lists"],
)
def test_parameters_of_all_kinds(options, tmp_path):
    model, X, _ = fitted(**options)
    again = by_own_format(model, tmp_path / "model.npz")
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_columns_of_a_frame(tmp_path):
    pd = pytest.importorskip("pandas")
    _, X, y = fitted()
    frame = pd.DataFrame(X / 9, columns=list("abcde"))
    model = SimpleRNNRegressor(4, max_iter=1).fit(frame, y)
    again = by_own_format(model, tmp_path / "model.npz")
    np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        again.predict(frame[list("edcba")])


def test_parameters_that_load_would_refuse_are_not_saved(tmp_path):
    model = fitted()[0].set_params(max_iter=True)
    with pytest.raises(ValueError, match="'max_iter' parameter"):
        model.save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "model.npz"
    with pytest.raises(NotFittedError):
        SimpleRNNClassifier().save(path)
    model, X, _ = fitted()
    model.fit(X, np.array([2.5, "text", None] * 20, dtype=object).astype(str).astype(object))
    model.classes_ = np.array([1, "a", None], dtype=object)
    with pytest.raises(ValueError, match="classes_ contains Python objects"):
        model.save(path)
    assert not path.exists()


def test_the_same_model_gives_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        fitted()[0].save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_requests_of_metadata_are_kept(tmp_path):
    with config_context(enable_metadata_routing=True):
        model = fitted()[0].set_fit_request(sample_weight=True, X_val="held_out")
        again = by_own_format(model, tmp_path / "model.npz")
        assert (
            again.get_metadata_routing().fit.requests == model.get_metadata_routing().fit.requests
        )


def test_streams_of_other_generators(tmp_path):
    model = fitted()[0].set_params(random_state=np.random.RandomState(np.random.Philox(0)))
    with pytest.raises(ValueError, match="random_state uses the bit generator"):
        model.save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_links_permissions_and_other_things(tmp_path):
    model, target, link = fitted()[0], tmp_path / "target.npz", tmp_path / "link.npz"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to(target)
    model.save(link)
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    assert SimpleRNNClassifier.load(target).n_iter_ == 2
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe", ""):
        with pytest.raises(OSError, match="not a regular file"):
            model.save(place)
    with pytest.raises(OSError, match="No such file"):
        model.save(tmp_path / "nowhere" / "model.npz")
    model.save(tmp_path / ("n" * 250 + ".npz"))
    assert not list(tmp_path.glob(".*.part"))


def test_an_interrupt_in_a_save_is_an_interrupt(tmp_path, monkeypatch):
    """zipfile makes another error of it, since a member is still open."""
    model, path = fitted()[0], tmp_path / "model.npz"
    model.save(path)
    before = path.read_bytes()

    def interrupt(member, array, **options):
        member.write(b"the beginning")
        raise KeyboardInterrupt

    monkeypatch.setattr(np.lib.format, "write_array", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]


def test_folders_that_cannot_be_flushed(tmp_path, monkeypatch):
    """As some file systems have them; the file is in its place by then."""

    def fsync(descriptor, flush=os.fsync):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(22, "Invalid argument")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    fitted()[0].save(tmp_path / "model.npz")
    assert SimpleRNNClassifier.load(tmp_path / "model.npz").n_iter_ == 2


def test_open_files(tmp_path):
    """From where they stand, as when several models share a file's container."""
    model, X, _ = fitted()
    with open(tmp_path / "model.bin", "w+b") as file:
        file.write(b"before")
        model.save(file)
        file.seek(6)
        np.testing.assert_array_equal(SimpleRNNClassifier.load(file).predict(X), model.predict(X))
    model.save(tmp_path / "model.npz")
    assert (tmp_path / "model.bin").read_bytes() == b"before" + (
        tmp_path / "model.npz"
    ).read_bytes()
    buffer = io.BytesIO()
    model.save(buffer)
    assert SimpleRNNClassifier.load(io.BytesIO(buffer.getvalue())).n_iter_ == 2
    with pytest.raises(ValueError, match="is not a file that SimpleRNNClassifier"):
        SimpleRNNClassifier.load(buffer)  # which stands at its end
    for call in (model.save, SimpleRNNClassifier.load):
        with pytest.raises(TypeError, match="open it in binary mode"):
            call(io.StringIO())


@pytest.mark.skipif(os.name == "nt", reason="a pipe of a process")
def test_streams_that_cannot_seek():
    model, X, _ = fitted()
    ends = os.pipe()
    with open(ends[0], "rb") as reader, ThreadPoolExecutor(1) as pool:
        loaded = pool.submit(SimpleRNNClassifier.load, reader)
        with open(ends[1], "wb") as writer:
            model.save(writer)
        np.testing.assert_array_equal(loaded.result().predict(X), model.predict(X))


def test_paths_of_bytes(tmp_path):
    model, path = fitted()[0], os.fsencode(tmp_path / "model.npz")
    model.save(path)
    assert SimpleRNNClassifier.load(path).n_iter_ == 2
    with pytest.raises(OSError, match="not a regular file"):
        model.save(os.fsencode(tmp_path))
    (tmp_path / "model.npz").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"model\.npz is not a file that"):
        SimpleRNNClassifier.load(path)
    for call in (model.save, SimpleRNNClassifier.load):
        with pytest.raises(TypeError, match="int"):
            call(1)


PROGRAM = """
import io, warnings
warnings.filterwarnings("error", category=EncodingWarning, module="crnn")
import crnn, crnn.callbacks, crnn.datasets, crnn.preprocessing
X, y = crnn.datasets.make_reviews(20)
X = crnn.preprocessing.SequenceVectorizer(maxlen=9).fit_transform(X)
file = io.BytesIO()
crnn.SimpleRNNClassifier(2, max_iter=1).fit(X, y).save(file)
crnn.SimpleRNNClassifier.load(io.BytesIO(file.getvalue()))
crnn.SimpleRNN(2)(X[:, :, None])
"""


def test_no_encoding_is_left_to_the_locale():
    run = run_python("-X", "warn_default_encoding", "-c", PROGRAM)
    assert run.returncode == 0, run.stderr
