"""Files of fitted estimators: the same model again, and nothing that a file could smuggle in."""

import io
import json
import os
import pickle
import stat
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from crnn import SimpleRNNClassifier, SimpleRNNRegressor
from crnn._system.archive import SEAL_SIZE, seal_of, write_archive
from crnn.callbacks import EarlyStopping

ROUNDS = 50 * int(os.environ.get("CRNN_ROUNDS", "2"))


def fitted(kind="numbers", **options):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 9, (60, 5)), rng.integers(0, 3, 60)
    if kind == "text":
        y = np.array(["no", "yes", "maybe"])[y]
    if kind == "objects":
        y = np.array(["no", "yes", "maybe"], dtype=object)[y]
    if kind == "labels":
        y = np.eye(3, dtype=int)[y]
    if kind == "series":
        return SimpleRNNRegressor(4, max_iter=2, **options).fit(X / 9, y), X / 9, y
    clf = SimpleRNNClassifier(4, max_iter=2, vocabulary_size=9, random_state=0, **options)
    return clf.fit(X, y), X, y


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


@pytest.mark.parametrize("kind", ["numbers", "text", "objects", "labels", "series"])
@pytest.mark.parametrize("way", [by_own_format, by_joblib, by_pickle, by_skops])
def test_the_same_model_again(way, kind, tmp_path):
    model, X, y = fitted(kind)
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
        {"optimizer": "adam", "dtype": "float64", "clip_norm": np.float64(1)},
        {"optimizer": "sgd", "momentum": 0.5, "scoring": ["accuracy"], "validation_fraction": 0.2},
    ],
    ids=["class weights", "adam", "lists"],
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


def rewritten(path, change):
    """The file with its header and arrays changed by a function."""
    with np.load(path) as archive:
        members = {name: archive[name] for name in archive.files}
    header = json.loads(members.pop("header").tobytes())
    change(header, members)
    said = json.dumps(header)
    members = {
        name: array for name, array in members.items() if f'"{name}"' in said or name == "extra"
    }
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with open(path, "w+b") as file:  # as someone would who means harm
        write_archive(file, {"header": text, **members})


def attribute(header, name, value):
    """Replace what the header says of a fitted attribute; a value of None takes it out."""
    pairs = [pair for pair in header["attributes"]["dict"] if pair[0] != name]
    header["attributes"]["dict"] = pairs if value is None else [*pairs, [name, value]]


def member(name, change):
    """A change of one array."""

    def rewrite(header, members):
        members[name] = change(members[name])

    return rewrite


def said(name, value):
    """A change of one attribute."""
    return lambda header, members: attribute(header, name, value)


def with_first(value):
    def change(array):
        array = array.copy()
        array.flat[0] = value
        return array

    return change


def in_header(name, value):
    return lambda header, members: header.update({name: value})


def parameter(name, value):
    """A change of one parameter."""

    def rewrite(header, members):
        for pair in header["parameters"]["dict"]:
            pair[1] = value if pair[0] == name else pair[1]

    return rewrite


def within(*path):
    """A change of one entry of an attribute that is a dict, or of a dict in it."""
    *keys, name, value = path

    def rewrite(header, members):
        entries = header["attributes"]["dict"]
        for key in keys:
            entries = dict(map(tuple, entries))[key]["dict"]
        for entry in entries:
            entry[1] = value if entry[0] == name else entry[1]

    return rewrite


def with_position(position):
    """A change of where the random stream stands in its words."""

    def rewrite(header, members):
        training = dict(map(tuple, header["attributes"]["dict"]))["_training"]["dict"]
        dict(map(tuple, training))["rng"]["RandomState"][2] = position

    return rewrite


def nested(depth):
    value = 1.0
    for _ in range(depth):
        value = {"dict": [[0, value]]}
    return value


TRAINING = "attributes._training"
DAMAGE = {
    "a weight of another shape": (
        member("attributes.weights_.rnn_0/kernel", lambda a: a[:, :2]), "has shape .*fit .*again"
    ),
    "a weight that is NaN": (
        member("attributes.weights_.rnn_0/bias", with_first(np.nan)), "contains NaN or infinity"
    ),
    "a weight of integers": (
        member("attributes.weights_.rnn_0/bias", lambda a: a.astype(int)), "not an array of float32"
    ),
    "a weight of other dimensions": (
        member("attributes.weights_.embedding", lambda a: a[None]), r"has shape \(1, "
    ),
    "a weight that is text": (
        member("attributes.weights_.rnn_0/bias", lambda a: a.astype("U4")), "not an array of"
    ),
    "no weights": (
        lambda header, members: members.pop("attributes.weights_.rnn_0/bias"), "weights_.rnn_0/bias"
    ),
    "weights of another name": (
        within("weights_", "head/bias", [1.0]), "is not an array of float32"
    ),
    "nothing fitted": (said("out_activation_", None), "not contain a fitted model"),
    "a newer format": (in_header("format_version", 2), "format, version and class are"),
    "another format": (in_header("format", "a picture"), "a picture"),
    "another class": (in_header("class", "SimpleRNNRegressor"), "SimpleRNNRegressor"),
    "a bad parameter": (in_header("parameters", {"dict": [["units", -1]]}), "units"),
    "an unknown parameter": (in_header("parameters", {"dict": [["unit", 1]]}), "unit"),
    "parameters that are none": (in_header("parameters", 3), "attribute"),
    "an object": (said("extra_", {"object": "os.system"}), "unknown kind 'object'"),
    "a method": (said("predict", 3), "unknown attributes"),
    "a private name": (said("__class__", 3), "unknown attributes"),
    "no classes": (said("classes_", None), "classes_"),
    "more classes than outputs": (
        member("attributes.classes_", lambda a: np.append(a, 9)), "classes_, which disagree"
    ),
    "outputs that are not there": (said("n_outputs_", 10**9), "n_outputs_"),
    "another activation": (said("out_activation_", "identity"), "is 'identity', not one of"),
    "epochs without figures": (said("n_iter_", 7), "history_"),
    "figures without a loss": (
        said("history_", {"dict": [["accuracy", [0.5, 0.5]]]}), "history_"
    ),
    "figures that are text": (said("history_", {"dict": [["loss", ["a", "b"]]]}), "history_"),
    "nothing to train on from": (said("_training", None), "_training is missing"),
    "no random stream": (within("_training", "rng", None), "rng of _training is None"),
    "a stream of too few words": (member(f"{TRAINING}.rng.1", lambda a: a[:9]), "bounds"),
    "a stream beyond its words": (with_position(10**6), "position"),
    "no optimizer": (within("_training", "optimizer", None), "optimizer of _training is None"),
    "a step before the first": (
        member(f"{TRAINING}.optimizer.touched.embedding", with_first(-1)), "touched"
    ),
    "a step that was not made": (
        member(f"{TRAINING}.optimizer.touched.embedding", with_first(10**9)), "touched"
    ),
    "a negative mean square": (
        member(f"{TRAINING}.optimizer.velocities.rnn_0/bias", with_first(-1)), "negative"
    ),
    "a plan of nothing": (
        within("_training", "plan", {"dict": []}), "epochs_left of the plan is 'missing'"
    ),
    "a plan of text": (
        within("_training", "plan", "train"), "plan of _training is 'train', not a dict or None"
    ),
    "callbacks": (
        lambda header, members: [
            pair.__setitem__(1, ["x"])
            for pair in header["parameters"]["dict"] if pair[0] == "callbacks"
        ],
        "it contains callbacks",
    ),
    "a count that is true": (parameter("units", True), "'units' parameter"),
    "epochs that are true": (parameter("max_iter", True), "'max_iter' parameter"),
    "a rate beyond a double": (parameter("learning_rate", 10**400), "'learning_rate' parameter"),
    "weights of classes in depth": (
        parameter("class_weight", nested(300)), "'class_weight' parameter"
    ),
    "scorers in depth": (parameter("scoring", [[["accuracy"]]]), "'scoring' parameter"),
    "threads that are text": (parameter("n_jobs", "2"), "'n_jobs' parameter"),
    "a factor beyond a double": (
        within("_training", "optimizer", "learning_rate_factor", 10**400), "not a positive number"
    ),
    "a best loss beyond a double": (
        within("_training", "progress", "best", 10**400), "best of the progress"
    ),
    "figures beyond a double": (
        said("history_", {"dict": [["loss", [10**400, 1.0]]]}), "history_"
    ),
    "a seed beyond 32 bits": (within("_training", "split_seed", 2**32), "split_seed"),
    "labels that are no text": (said("classes_", {"strings": [1, 2, None]}), "marked as text"),
    "labels there twice": (member("attributes.classes_", lambda a: 0 * a), "a label twice"),
    "a width that is text": (said("n_features_in_", "five"), "_in_ is 'five', not a number"),
    "names that are numbers": (
        said("feature_names_in_", [1, 2, 3, 4, 5]), "feature_names_in_ is not an array of strings"
    ),
    "steps without number": (
        within("_training", "optimizer", "n_steps", 10**30), "n_steps of the optimizer"
    ),
    "a weight that single precision does not hold": (
        member("attributes.weights_.rnn_0/bias", lambda a: a.astype(float) + 1e300),
        "infinity as float32",
    ),
    "no units": (
        lambda header, members: members.update({
            "attributes.weights_.rnn_0/bias": np.empty(0, np.float32),
            "attributes.weights_.rnn_0/recurrent_kernel": np.empty((0, 0), np.float32),
            "attributes.weights_.rnn_0/kernel": np.empty((32, 0), np.float32),
            "attributes.weights_.head/kernel": np.empty((0, 3), np.float32),
        }),
        r"has shape \(32, 0\)",
    ),
    "an array that belongs to nothing": (
        lambda header, members: members.update(extra=np.zeros(3)), "unknown members"
    ),
    "a name that is none": (said("a b_", 3), "unknown attributes"),
    "a request of a method that is none": (
        in_header("requests", {"state": {"sample_weight": True}}), "set_state_request"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_files_that_are_not_what_they_say(kind, tmp_path):
    change, message = DAMAGE[kind]
    path = tmp_path / "model.npz"
    fitted()[0].save(path)
    rewritten(path, change)
    with pytest.raises(ValueError, match=f"(?s)model.npz is not a file that .*{message}"):
        SimpleRNNClassifier.load(path)


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("weights_", {"rnn_0/kernel": np.zeros((3, 3), np.float32)}, "has shape .*fit .*again"),
        ("weights_", {"rnn_0/bias": [0.0] * 4}, "is not an array of float32"),
        ("weights_", {"embedding": None}, "is not an array of float32"),
        ("weights_", {"head/kernel": np.full((4, 3), np.inf, np.float32)}, "NaN or infinity"),
        ("weights_", {"rnn_1/bias": np.zeros(4, np.float32)}, "has shape None instead of"),
        ("classes_", np.arange(9), "classes_"),
        ("_training", None, "_training is missing or not a dict"),
        ("_training", {"optimizer": {}}, "rule of the optimizer is 'missing'"),
        (
            "_training",
            {
                "optimizer": {
                    "rule": "SGD",
                    "n_steps": 0,
                    "learning_rate_factor": 1.0,
                    "more": {"rnn_0/kernel": "text"},
                }
            },
            r"unknown entries: \['more'\]",
        ),
        ("_training", {"rng": None}, "rng of _training is None"),
        ("dtype", "float16", "dtype"),
        ("activation", "x", "'activation' parameter"),
        ("n_jobs", "2", "'n_jobs' parameter"),
        ("units", True, "'units' parameter"),
        ("class_weight", {0: {0: 1}}, "'class_weight' parameter"),
        ("_training", {"plan": {"epochs_left": -1}}, "epochs_left of the plan is -1, not a count"),
        ("_training", {"progress": {"best": "low"}}, "best of the progress is 'low', not a float"),
        ("_training", {"split_seed": -1}, "split_seed of _training is -1"),
    ],
)
def test_pickles_of_what_does_not_belong_together(attribute, value, message):
    model = fitted()[0]
    if attribute in ("weights_", "_training") and value is not None:
        value = getattr(model, attribute) | value
    message = f"inconsistent attributes; fit it again. Reason: .*{message}"
    state = model.__getstate__() | {attribute: value}
    with pytest.raises(ValueError, match=message):
        SimpleRNNClassifier().__setstate__(state)
    setattr(model, attribute, value)
    damaged = pickle.dumps(model)
    with pytest.raises(ValueError, match=message):
        pickle.loads(damaged)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out_activation_", "out_activation_ is missing"),
        ("units", r"the parameters \['units'\] are missing"),
    ],
)
def test_pickles_that_lack_something(name, message):
    state = fitted()[0].__getstate__()
    del state[name]
    model = SimpleRNNClassifier.__new__(SimpleRNNClassifier)
    with pytest.raises(ValueError, match=message):
        model.__setstate__(state)


@pytest.mark.parametrize("settings", [{"units": True}, {"unit": 3}, {"scoring": [[]]}, None])
def test_plans_of_other_parameters(settings):
    model, X, y = fitted()
    state = model.__getstate__()

    def cut(estimator):
        state.update(estimator.__getstate__())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.set_params(callbacks=[cut]).fit(X, y)
    state["callbacks"] = None
    SimpleRNNClassifier().__setstate__(state)
    state["_training"]["plan"]["settings"] = settings
    with pytest.raises(ValueError, match="the plan"):
        SimpleRNNClassifier().__setstate__(state)


def test_parameters_that_load_would_refuse_are_not_saved(tmp_path):
    model = fitted()[0].set_params(max_iter=True)
    with pytest.raises(ValueError, match="'max_iter' parameter"):
        model.save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["embedding", "rnn_0/bias", "head/kernel", "head/bias"])
def test_training_from_weights_that_were_changed(name):
    model, X, y = fitted()
    model.weights_[name] = model.weights_[name][:2]
    with pytest.raises(ValueError, match=r"instead of .* call fit"):
        model.partial_fit(X, y % 2)


def test_training_with_classes_that_were_changed():
    model, X, y = fitted()
    model.classes_ = model.classes_[:2]
    with pytest.raises(ValueError, match=r"inconsistent attributes; fit it again\. .*disagree"):
        model.partial_fit(X, y % 2)


def test_every_byte_counts(tmp_path):
    """One bit of each byte is flipped; each cut of the file is refused as well."""
    path = tmp_path / "model.npz"
    SimpleRNNClassifier(1, embedding_dim=1, max_iter=1).fit([[1], [2]], [0, 1]).save(path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is not a file that SimpleRNNClassifier"):
            SimpleRNNClassifier.load(path)
    for size in [*range(0, len(whole), 101), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="is not a file that SimpleRNNClassifier"):
            SimpleRNNClassifier.load(path)
    path.write_bytes(whole + b"0")
    with pytest.raises(ValueError, match="is not a file that SimpleRNNClassifier"):
        SimpleRNNClassifier.load(path)


def archive_of(path, compression=zipfile.ZIP_STORED, **contents):
    """A sealed archive of members with these bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(f"{name}.npy", content)
        archive.comment = bytes(SEAL_SIZE)
    size = file.tell() - SEAL_SIZE
    seal = seal_of(file, size)
    path.write_bytes(file.getvalue()[:size] + seal)


def npy(header, content=b""):
    text = (repr(header)[:-1] + ", }").encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"header": npy({"descr": "<f8", "fortran_order": False, "shape": (2**40,)})}, "size"),
        (
            {"header": npy({"descr": "<f8", "fortran_order": False, "shape": (-1, -8)}, b"0" * 64)},
            "",
        ),
        (
            {"header": npy({"descr": "|O", "fortran_order": False, "shape": (1,)}, b"cos\n")},
            "not an array of numbers",
        ),
        ({"header": npy({"descr": "|V0", "fortran_order": False, "shape": (9**20,)})}, ""),
        ({"header": b"\x93NUMPY\x09\x00"}, ""),
        ({"header": b"no array"}, "not an array"),
        ({"header": npy({"descr": "|u1", "fortran_order": False, "shape": (3,)}, b"[[[")}, ""),
        (
            {
                "header": npy(
                    {"descr": "|u1", "fortran_order": False, "shape": (99999,)}, b"[" * 99999
                )
            },
            "",
        ),
        ({}, "header"),
    ],
    ids=["huge", "negative", "pickle", "nothing", "version", "text", "JSON", "deep", "empty"],
)
def test_members_that_are_not_what_they_say(contents, message, tmp_path):
    path = tmp_path / "model.npz"
    archive_of(path, **contents)
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"(?s)is not a file that .*{message}"):
        SimpleRNNClassifier.load(path)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_compressed_members(tmp_path):
    """A small file could require any amount of memory."""
    path = tmp_path / "model.npz"
    zeros = npy({"descr": "<f8", "fortran_order": False, "shape": (10**6,)}, bytes(8 * 10**6))
    archive_of(path, zipfile.ZIP_DEFLATED, header=zeros)
    assert path.stat().st_size < 10**5
    with pytest.raises(ValueError, match="compressed"):
        SimpleRNNClassifier.load(path)


def test_damaged_files(tmp_path):
    path = tmp_path / "model.npz"
    fitted()[0].save(path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:1000], whole[:-50], whole.replace(b"units", b"onits"), b"text"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is not a file that SimpleRNNClassifier"):
            SimpleRNNClassifier.load(path)


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


def test_a_velocity_in_columns(tmp_path):
    model, X, y = fitted()
    path = tmp_path / "model.npz"
    model.save(path)
    rewritten(path, member(f"{TRAINING}.optimizer.velocities.embedding", np.asfortranarray))
    again = SimpleRNNClassifier.load(path).partial_fit(X, y)
    np.testing.assert_array_equal(again.kernel_, model.partial_fit(X, y).kernel_)


def test_streams_beyond_their_words(tmp_path):
    """In the parameter random_state, fitted or not, and of other generators."""
    twister, philox = np.random.RandomState(0), np.random.RandomState(np.random.Philox(0))
    state = twister.get_state(legacy=False)
    state["state"]["pos"] = 10**9
    try:
        twister.set_state(state)
    except ValueError:
        pytest.skip("this version of NumPy makes no such stream")
    state = philox.get_state(legacy=False)
    state["buffer_pos"] = -(2**30)
    philox._bit_generator.state = state
    for stream in (twister, philox):
        model = fitted()[0].set_params(random_state=stream)
        for estimator in (model, clone(SimpleRNNClassifier()).set_params(random_state=stream)):
            with pytest.raises(ValueError, match="the random stream has the position"):
                pickle.loads(pickle.dumps(estimator))
    path = tmp_path / "model.npz"
    model.set_params(random_state=twister).save(path)
    with pytest.raises(ValueError, match="the random stream has the position"):
        SimpleRNNClassifier.load(path)


def test_streams_of_other_generators(tmp_path):
    model = fitted()[0].set_params(random_state=np.random.RandomState(np.random.Philox(0)))
    with pytest.raises(ValueError, match="random_state uses the bit generator"):
        model.save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_members_that_overlap(tmp_path):
    """Each member of a small file may be nearly as long as the file."""
    path = tmp_path / "model.npz"
    inner = npy({"descr": "|u1", "fortran_order": False, "shape": (9000,)}, bytes(9000))
    archive_of(path, a=inner, b=inner)
    content = bytearray(path.read_bytes()[:-SEAL_SIZE])
    second = content.rindex(b"PK\x01\x02")
    content[second + 42 : second + 46] = bytes(4)  # the second entry begins where the first does
    content[second + 46 : second + 51] = b"a.npy"
    file = io.BytesIO(content)
    path.write_bytes(content + seal_of(file, len(content)))
    with pytest.raises(ValueError, match="overlap or repeat"):
        SimpleRNNClassifier.load(path)


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


@pytest.mark.parametrize(
    "error", [TimeoutError("too long"), MemoryError("no more"), PermissionError("not yours"),
              RuntimeError("from a signal handler"), OSError(5, "Input/output error")], ids=repr
)  # fmt: skip
def test_errors_that_say_nothing_about_the_file(error):
    class File(io.BytesIO):
        def read(self, size=-1):
            raise error

    with pytest.raises(type(error)) as raised:
        SimpleRNNClassifier.load(File())
    assert raised.value is error


def test_an_alarm_in_a_load(tmp_path, monkeypatch):
    """As a signal handler raises it, in the midst of the archive."""
    fitted()[0].save(tmp_path / "model.npz")

    def alarm(*arguments, **options):
        raise TimeoutError("too long")

    monkeypatch.setattr(np.lib.format, "read_array_header_1_0", alarm)
    with pytest.raises(TimeoutError, match="too long"):
        SimpleRNNClassifier.load(tmp_path / "model.npz")


def test_members_before_the_beginning(tmp_path):
    """The folder of the archive says that it stands further back than it does."""
    path = tmp_path / "model.npz"
    archive_of(path, a=npy({"descr": "|u1", "fortran_order": False, "shape": (3,)}, b"abc"))
    content = bytearray(path.read_bytes()[:-SEAL_SIZE])
    end = content.rindex(b"PK\x05\x06")
    offset = int.from_bytes(content[end + 16 : end + 20], "little")
    content[end + 16 : end + 20] = (offset + 99).to_bytes(4, "little")
    path.write_bytes(content + seal_of(io.BytesIO(content), len(content)))
    with pytest.raises(ValueError, match="starts before the file does"):
        SimpleRNNClassifier.load(path)


@pytest.mark.parametrize("way", [pickle.dumps, deepcopy, lambda m: m.save(io.BytesIO())])
def test_copies_while_another_thread_fits(way):
    model, X, y = fitted()
    if hasattr(model, "set_callbacks"):
        model.set_callbacks(EarlyStopping("loss"))
    running, failed = True, []

    def fit():
        while running:
            model.fit(X, y)
            model.__dict__.update({f"_mark{i}": i for i in range(99)})
            for i in range(99):
                delattr(model, f"_mark{i}")

    def copy():
        try:
            way(model)
        except RuntimeError as error:
            failed.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=fit)
    thread.start()
    try:
        for _ in range(ROUNDS):
            copy()
    finally:
        running = False
        thread.join()
        sys.setswitchinterval(interval)
    assert not failed


@pytest.mark.parametrize("way", [pickle.dumps, deepcopy])
def test_an_attribute_that_comes_in_the_midst_of_a_copy(way):
    """As another thread would set one, here at a moment that is certain."""

    class Meddling:
        def __reduce__(self):
            model.mark = 1
            return int, ()

    model = fitted()[0].set_params(callbacks=[Meddling()])
    way(model)
    assert model.mark == 1


def test_copies_have_no_trace_of_the_fit_that_runs():
    """scikit-learn keeps the context of a fit in the estimator as long as it runs."""
    seen = []
    model, X, y = fitted()
    model.set_params(callbacks=[lambda estimator: seen.append(model.__getstate__().keys())])
    known = set(vars(model))
    model.fit(X, y)
    assert all(keys <= known for keys in seen)
    assert len(seen) == 2


PROGRAM = """
import io
import crnn, crnn.callbacks, crnn.datasets, crnn.preprocessing
X, y = crnn.datasets.make_reviews(20)
X = crnn.preprocessing.SequenceVectorizer(maxlen=9).fit_transform(X)
file = io.BytesIO()
crnn.SimpleRNNClassifier(2, max_iter=1).fit(X, y).save(file)
crnn.SimpleRNNClassifier.load(io.BytesIO(file.getvalue()))
crnn.SimpleRNN(2)(X[:, :, None])
"""


def test_no_encoding_is_left_to_the_locale():
    options = ["-X", "warn_default_encoding", "-W", "error"]
    run = subprocess.run(
        [sys.executable, *options, "-c", PROGRAM],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert run.returncode == 0, run.stderr
