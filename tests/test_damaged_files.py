"""Files that are damaged or malicious are refused, with the path and the reason."""

import io
import json
import tracemalloc
import zipfile
from copy import deepcopy

import numpy as np
import pytest

from common import BOOK, fitted
from crnn import SimpleRNNClassifier
from crnn._system.archive import SEAL_SIZE, seal_of, write_archive


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
    "nothing fitted": (said("out_activation_", None), "out_activation_ is missing"),
    "a newer format": (in_header("format_version", 2), "format and version are"),
    "another format": (in_header("format", "a picture"), "a picture"),
    "another class": (
        in_header("class", "SimpleRNNRegressor"), r"use crnn\.load.* holds a SimpleRNNReg.*, not"
    ),
    "a class that is none": (in_header("class", ["os"]), "unhashable"),
    "nothing but parameters": (in_header("attributes", {"dict": []}), "not contain a fitted model"),
    "a network in a network": (
        lambda header, members: attribute(
            header, "extra_", {"estimator": deepcopy(header) | {"class": "Pipeline"}}
        ),
        "holds a Pipeline, not a SimpleRNNClassifier",
    ),
    "a type that is none": (parameter("dtype", {"type": "object"}), "'object'"),
    "an output": (in_header("output", {"transform": "pandas"}), "set_output"),
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
    fitted(**BOOK)[0].save(path)  # whose optimizer has more to check
    rewritten(path, change)
    with pytest.raises(ValueError, match=f"(?s)model.npz is not a file that .*{message}"):
        SimpleRNNClassifier.load(path)


def test_every_byte_counts(tmp_path):
    """One bit of every third byte is flipped; each cut of the file is refused as well."""
    path = tmp_path / "model.npz"
    SimpleRNNClassifier(1, embedding_dim=1, max_iter=1).fit([[1], [2]], [0, 1]).save(path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
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


def test_a_velocity_in_columns(tmp_path):
    model, X, y = fitted()
    path = tmp_path / "model.npz"
    model.save(path)
    rewritten(path, member(f"{TRAINING}.optimizer.velocities.embedding", np.asfortranarray))
    again = SimpleRNNClassifier.load(path).partial_fit(X, y)
    np.testing.assert_array_equal(again.kernel_, model.partial_fit(X, y).kernel_)


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
