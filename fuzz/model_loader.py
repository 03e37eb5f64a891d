"""Files and pickles of models: ValueError, or a model that predicts and trains or says why not."""

import io
import json
import pickle
import tempfile
import warnings
from copy import deepcopy
from pathlib import Path

import atheris
import numpy as np
from sklearn.pipeline import make_pipeline

with atheris.instrument_imports(include=["crnn", "zipfile"]):
    import crnn
    from crnn import SimpleRNNClassifier
    from crnn._saving.checks import check_attributes
    from crnn._system.archive import SEAL_SIZE, read_archive, seal_of, write_archive
    from crnn.preprocessing import SequenceVectorizer

from common import run

X, Y = [[1, 2], [2, 1], [1], [2]], [0, 1, 1, 0]
TEXTS = ["a b", "b a", "a", "b"]
FILE = Path(tempfile.mkdtemp(), "model.npz")


def models():
    options = {"max_iter": 1, "random_state": 0, "vocabulary_size": 3, "embedding_dim": 2}
    for more in ({}, {"optimizer": "rmsprop", "class_weight": {0: 1.0, 1: 2.0}}):
        yield SimpleRNNClassifier(2, **options, **more).fit(X, Y)
    network = SimpleRNNClassifier(2, **options | {"vocabulary_size": 5})
    yield make_pipeline(SequenceVectorizer(maxlen=3), network).fit(TEXTS, Y)


def contents():
    for model in models():
        crnn.save(model, FILE)
        yield FILE.read_bytes()


CONTENTS = list(contents())
ARCHIVES = [read_archive(io.BytesIO(content)) for content in CONTENTS]
HEADERS = [archive.pop("header").tobytes() for archive in ARCHIVES]


def resealed(data):
    return data + seal_of(io.BytesIO(data), len(data))


def with_header(text):
    """A valid archive with the arrays of the first model and another header."""
    file = io.BytesIO()
    write_archive(file, {"header": np.frombuffer(text, np.uint8), **ARCHIVES[0]})
    return file.getvalue()


ODD = [
    None, True, 0, -1, 2**31, 2**63, 10**30, 1e308, "", "tanh", [], {}, [[]], {"array": "x"},
    {"strings": []}, {"dict": []}, {"RandomState": []},
    {"array": "attributes.weights_.rnn_0/kernel"},
]  # fmt: skip
DTYPES = ["f4", "f8", "i8", "U40", "?", "u1", "M8[s]"]
NUMBERS = [0, -1, 2**62, 1e300, np.nan, -1e-300]


def pick(data, choices):
    return choices[data.ConsumeIntInRange(0, len(choices) - 1)]


def changed(data):
    """A valid archive in which parts of the header or of an array have been replaced."""
    data = atheris.FuzzedDataProvider(data)
    number = data.ConsumeIntInRange(0, len(ARCHIVES) - 1)
    arrays, header = dict(ARCHIVES[number]), json.loads(HEADERS[number])
    for _ in range(data.ConsumeIntInRange(1, 3)):
        if data.ConsumeBool():
            name = pick(data, sorted(arrays))
            arrays[name] = changed_array(data, arrays[name])
            continue
        place = header
        while True:
            key = pick(data, list(place) if isinstance(place, dict) else range(len(place)))
            if not isinstance(place[key], (dict, list)) or not place[key] or data.ConsumeBool():
                break
            place = place[key]
        place[key] = deepcopy(pick(data, ODD))
    file = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    write_archive(file, {"header": text, **arrays})
    return file.getvalue()


def changed_array(data, array):
    kind = data.ConsumeIntInRange(0, 4)
    if kind == 0:
        return array.astype(pick(data, DTYPES))
    if kind == 1:
        return array[: data.ConsumeIntInRange(0, 3)]
    if kind == 2:
        return array.reshape(-1)
    if kind == 3:
        return np.asfortranarray(array[..., None])
    array = array.copy()
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        array[data.ConsumeIntInRange(0, 3) :: 3] = np.float64(pick(data, NUMBERS)).astype(
            array.dtype
        )
    return array


def use(model):
    """A loaded model works, or raises ValueError; it never crashes."""
    calls = ["predict_proba", "partial_fit"] if hasattr(model, "hidden_states") else ["predict"]
    data = X if hasattr(model, "hidden_states") else TEXTS
    for call in calls:
        try:
            getattr(model, call)(*([data, Y] if call == "partial_fit" else [data]))
        except (ValueError, MemoryError):
            pass
        except AttributeError:  # a pipeline that ends with its vectorizer
            if hasattr(model, "hidden_states"):
                raise
    pickle.loads(pickle.dumps(model))


def state_of(text):
    """Apply the checks of unpickling to a model with attributes changed by JSON."""
    changes = json.loads(text)
    if not isinstance(changes, dict):
        return
    model = next(models())
    for name, value in changes.items():
        held = vars(model).get(name)
        if isinstance(held, dict) and isinstance(value, dict):
            held.update(value)
        else:
            vars(model)[name] = value
    check_attributes(model)


def target(data):
    kind, data = data[:1], data[1:]
    try:
        if kind == b"s":
            return state_of(data)
        with warnings.catch_warnings(action="ignore"):  # numbers that do not fit into a type
            content = {b"r": resealed, b"h": with_header, b"j": changed}.get(kind, bytes)(data)
        FILE.write_bytes(content)
        model = crnn.load(FILE)
    except (ValueError, RecursionError):
        return
    use(model)


if __name__ == "__main__":
    plain = [b"f" + content for content in CONTENTS]
    sealed = [b"r" + content[:-SEAL_SIZE] for content in CONTENTS]
    trees = [b"j" + bytes([n] * 40) for n in range(0, 250, 9)]
    states = [b's{"n_iter_": 1}', b's{"_training": {"plan": {"data": 3}}, "classes_": [0, 1]}']
    run(
        target,
        [
            *plain,
            *sealed,
            b"h" + HEADERS[0],
            *states,
            *(b"j" + bytes([n] * 40) for n in range(0, 250, 9)),
        ],
    )
