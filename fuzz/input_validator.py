"""X and y in all forms: ValueError, TypeError or MemoryError with a message, or finite numbers."""

import warnings

import atheris
import numpy as np
import pandas as pd

with atheris.instrument_imports(include=["crnn"]):
    from crnn import SimpleRNNClassifier, SimpleRNNRegressor
    from crnn._system import memory

from common import run

memory.machine_memory = lambda: 2**28  # an id may ask for any number of words

DTYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g", "c8", "O",
          "U3", "S3", "M8[s]", ">i4", ">f8"]  # fmt: skip
ODD = [None, "", "a", b"b", float("nan"), float("inf"), -1, 2**40, 1e300, [], {}, True, 3 + 4j]


def array(data):
    dtype = np.dtype(DTYPES[data.ConsumeIntInRange(0, len(DTYPES) - 1)])
    shape = [data.ConsumeIntInRange(0, 4) for _ in range(data.ConsumeIntInRange(0, 4))]
    size = int(np.prod(shape))
    if dtype.kind == "O":
        values = np.array([None] * size, dtype=object)
        for place in range(size):
            values[place] = odd(data)
    else:
        content = data.ConsumeBytes(size * dtype.itemsize)
        if dtype.kind == "U":  # not all bytes are valid text
            return np.full(shape, "a", dtype)
        values = np.frombuffer(content.ljust(size * dtype.itemsize, b"\0"), dtype)
    values = values.reshape(shape)
    return values.T if data.ConsumeBool() else values


def odd(data):
    return ODD[data.ConsumeIntInRange(0, len(ODD) - 1)]


def anything(data, depth=0):
    kind = data.ConsumeIntInRange(0, 8)
    if kind == 0 or depth > 3:
        return data.ConsumeIntInRange(-2, 9)
    if kind == 1:
        return data.ConsumeRegularFloat()
    if kind == 2:
        return odd(data)
    if kind <= 4:
        return array(data)
    items = [anything(data, depth + 1) for _ in range(data.ConsumeIntInRange(0, 5))]
    if kind == 5:
        return tuple(items)
    if kind == 6:
        return pd.Series(items, dtype=object)
    if kind == 7 and items:
        return pd.DataFrame({"a": pd.Series(items, dtype=object)})
    return items


def target(raw):
    data = atheris.FuzzedDataProvider(raw)
    options = {
        "max_iter": 1, "random_state": 0, "embedding_dim": 2, "batch_size": 2,
        "mask_zero": data.ConsumeBool(),
        "vocabulary_size": [None, 9][data.ConsumeBool()],
        "input": ["auto", "tokens", "series"][data.ConsumeIntInRange(0, 2)],
        "dtype": ["float32", "float64"][data.ConsumeBool()],
    }  # fmt: skip
    kind = [SimpleRNNClassifier, SimpleRNNRegressor][data.ConsumeBool()]
    model = kind(2, **options)
    X, y, other = anything(data), anything(data), anything(data)
    if np.shape(X) if isinstance(X, np.ndarray) else hasattr(X, "__len__"):
        y = [0, 1, *[1] * len(X)][: len(X)] if data.ConsumeBool() else y
    warnings.simplefilter("ignore", UserWarning)  # scikit-learn's, of names and shapes
    for call in (
        lambda: model.fit(X, y),
        lambda: model.predict(other),
        lambda: model.predict(X),
        lambda: model.partial_fit(other, y),
        lambda: model.hidden_states(X, return_sequences=True),
    ):
        before = dict(vars(model))
        try:
            with np.errstate(all="ignore"):
                result = call()
        except (ValueError, TypeError, MemoryError):
            changed = {k for k in before | vars(model) if before.get(k) is not vars(model).get(k)}
            assert not changed, f"a failed call changed {changed}"
            continue
        if isinstance(result, np.ndarray) and result.dtype.kind == "f":
            assert np.isfinite(result).all()


if __name__ == "__main__":
    run(target, [bytes(range(n)) * 8 for n in range(1, 200, 13)])
