"""Whatever holds sequences is read alike; what holds none is refused, with place and remedy."""

from collections import UserList, deque

import numpy as np
import pytest

from common import small
from crnn import SimpleRNNClassifier, SimpleRNNRegressor

IDS = {"equal": [[1, 2, 3], [3, 2, 1]] * 10, "unequal": [[1, 2, 3], [3, 2]] * 10}
Y = [0, 1] * 10


class Column:
    """A column of Hugging Face's datasets, as far as that protocol is known to everyone."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        if not 0 <= i < len(self.rows):
            raise KeyError(i)  # which does not end an iteration
        return self.rows[i]


class Array:
    """Only what NumPy needs, as tensors have it."""

    def __init__(self, array):
        self.array = np.asarray(array)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)


def as_objects(rows):
    array = np.empty(len(rows), object)
    array[:] = [np.array(row) for row in rows]
    return array


CONTAINERS = {
    "user list": UserList,
    "user list of user lists": lambda rows: UserList([UserList(row) for row in rows]),
    "deque of deques": lambda rows: deque(map(deque, rows)),
    "values of a dict": lambda rows: dict(enumerate(rows)).values(),
    "tuple": tuple,
    "column": Column,
    "array of objects": as_objects,
    "rows of an object matrix": lambda rows: [np.array(row, object) for row in rows],
    "array-likes": lambda rows: [Array(row) for row in rows],
    "unsigned and signed": lambda rows: [
        np.array(row, "u8" if i % 2 else "i8") for i, row in enumerate(rows)
    ],
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("rows", IDS.values(), ids=IDS)
def test_containers_of_ids(container, rows):
    wanted = small().fit(rows, Y)
    got = small().fit(container(rows), Y)
    assert hasattr(got, "embedding_")
    np.testing.assert_array_equal(got.predict_proba(container(rows)), wanted.predict_proba(rows))


@pytest.mark.parametrize("rows", IDS.values(), ids=IDS)
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_columns_of_lists(library, rows):
    module = pytest.importorskip(library)
    column = module.array(rows) if library == "pyarrow" else module.Series(rows)
    np.testing.assert_array_equal(
        small().fit(column, Y).predict_proba(column), small().fit(rows, Y).predict_proba(rows)
    )


def tables():
    array = np.array(IDS["equal"])
    yield "object matrix", lambda: array.astype(object)
    yield "array-like", lambda: Array(array)
    for name, dtypes in [("of one", ["int64"] * 3), ("of several", ["uint64", "int64", "int8"])]:
        columns = {f"t{j}": array[:, j].astype(dtype) for j, dtype in enumerate(dtypes)}
        for library, make in [
            ("pandas", lambda m, columns: m.DataFrame(columns)),
            ("pandas", lambda m, columns: m.DataFrame(columns).convert_dtypes()),
            ("polars", lambda m, columns: m.DataFrame(columns)),
            ("pyarrow", lambda m, columns: m.table(columns)),
        ]:

            def table(library=library, make=make, columns=columns):
                return make(pytest.importorskip(library), columns)

            yield f"{library} {name}", table


@pytest.mark.parametrize("table", [pytest.param(make, id=name) for name, make in tables()])
def test_tables_of_ids(table):
    got, wanted = small().fit(table(), Y), small().fit(np.array(IDS["equal"]), Y)
    np.testing.assert_array_equal(
        got.predict_proba(table()), wanted.predict_proba(np.array(IDS["equal"]))
    )


def test_tensors():
    torch = pytest.importorskip("torch")
    rows = IDS["unequal"]
    np.testing.assert_array_equal(
        small().fit([torch.tensor(row) for row in rows], Y).predict_proba(rows),
        small().fit(rows, Y).predict_proba(rows),
    )
    array = np.array(IDS["equal"])
    np.testing.assert_array_equal(
        small().fit(torch.tensor(array), Y).predict_proba(torch.tensor(array)),
        small().fit(array, Y).predict_proba(array),
    )


def test_a_mixture_is_refused_unless_its_kind_is_given():
    pd = pytest.importorskip("pandas")
    mixture = [[5, 7], [9.0]] * 10
    frame = pd.DataFrame({"a": [1, 2] * 10, "b": [0.5, 1.0] * 10})
    with pytest.raises(ValueError, match=r"X\[1\] has dtype float64, but X\[0\] has dtype int64"):
        small().fit(mixture, Y)
    with pytest.raises(ValueError, match="Column 'b' of X has dtype float64, but Column 'a'"):
        small().fit(frame, Y)
    assert hasattr(small(input="tokens").fit(mixture, Y), "embedding_")
    assert not hasattr(small(input="series").fit(mixture, Y), "embedding_")
    assert not hasattr(small(input="series").fit(frame, Y), "embedding_")


def test_empty_sequences_are_of_any_kind():
    assert hasattr(small().fit([[], [1, 2]] * 10, Y), "embedding_")
    assert not hasattr(small().fit([[], [0.5]] * 10, Y), "embedding_")


REFUSED = {
    "iterator": (lambda: iter(IDS["equal"]), TypeError, r"iterator.*pass list\(X\)"),
    "generator": (lambda: (row for row in IDS["equal"]), TypeError, r"pass list\(X\)"),
    "dict": (lambda: dict(enumerate(IDS["equal"])), TypeError, r"pass list\(X.values\(\)\)"),
    "set": (lambda: {1, 2}, TypeError, "set, which has no order"),
    "rows that are dicts": (
        lambda: [{"ids": [1]}] * 20, TypeError, r"X\[0\] is of type dict; pass the column",
    ),
    "nothing": (lambda: [], ValueError, "X is empty"),
    "an empty deque": (deque, ValueError, "X is empty"),
    "a missing sample": (lambda: [[1], None] * 10, ValueError, r"X\[1\] is None; drop"),
    "only missing samples": (lambda: [None] * 20, ValueError, r"X\[0\] is None; drop"),
    "a missing step": (
        lambda: [[1], [2, None]] * 10, ValueError, r"None: X\[1\] at timestep 1. Drop",
    ),
    "a missing value of a matrix": (
        lambda: np.array([[1, 2], [None, 3]] * 10, object),
        ValueError,
        r"None: X\[1\] at timestep 0",
    ),
    "a large integer": (
        lambda: [[1, 2**63]] * 20, ValueError, r"X\[0\] at timestep 1 is 92233720.*64-bit",
    ),
    "a larger integer": (
        lambda: [[1], [1, -2**70]] * 10, ValueError, r"X\[1\] at timestep 1 is -11805.*64-bit",
    ),
    "a large integer of an array": (
        lambda: [[1], np.array([1, 2, 2**63], np.uint64)] * 10,
        ValueError,
        r"X\[1\] at timestep 2 is 9223372036854775808, .*64-bit",
    ),
    "a large integer of a tensor": (
        lambda: np.array([[[1, 2]], [[3, 2**70]]] * 10, object),
        ValueError,
        r"X\[1\] at timestep 0, feature 1 is 118.*64-bit",
    ),
    "an integer beyond floats": (
        lambda: [[0.5], [0.5, 10**400]] * 10, ValueError, r"X\[1\] at timestep 1 must be .*large",
    ),
    "an object": (
        lambda: [[0.5], [0.5, {}]] * 10, TypeError, r"X\[1\] at timestep 1 must be .*'dict'",
    ),
    "text in a deque": (
        lambda: deque(["a b"] * 20), ValueError, r"X\[0\] is text .*SequenceVectorizer",
    ),
    "text in a column": (
        lambda: Column(["a b"] * 20), ValueError, r"X\[0\] is text .*SequenceVectorizer",
    ),
    "text after a gap": (lambda: [None, "a b"] * 10, ValueError, r"X\[1\] is text"),
    "one text": (lambda: "a b", ValueError, "X is text .*SequenceVectorizer"),
    "bytes": (lambda: [b"a b"] * 20, ValueError, r"X\[0\] is text .*SequenceVectorizer"),
    "a text among ids": (lambda: [[1, 2], "a b"] * 10, ValueError, r"X\[1\] is text"),
    "a word among ids": (
        lambda: [[1, 2], [1, "a"]] * 10, ValueError, r"X\[1\] at timestep 1 is text",
    ),
    "a matrix of words": (
        lambda: np.array([["a", "b"]] * 20), ValueError, r"X\[0\] at timestep 0 is text",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("X", "error", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("cls", [SimpleRNNClassifier, SimpleRNNRegressor])
def test_refusals(cls, X, error, message):
    model = cls(3)
    with pytest.raises(error, match=message):
        model.fit(X(), Y)
    assert not hasattr(model, "n_iter_")


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_missing_values_of_tables(library):
    module = pytest.importorskip(library)
    columns = {"a": [1, 2] * 10, "b": [1, None] * 10}
    table = module.DataFrame(columns)
    if library == "pandas":
        table = table.convert_dtypes()
    with pytest.raises(ValueError, match=r"contains .*: Column 'b' of X in row 1. Drop"):
        small().fit(table, Y)


def test_lists_of_ids_fix_no_width():
    clf = small().fit(IDS["equal"], Y)
    assert not hasattr(clf, "n_features_in_")
    assert clf.predict(np.ones((2, 7), int)).shape == (2,)
    assert clf.predict(np.ones((2, 2), int)).shape == (2,)


@pytest.mark.parametrize("kind", [int, float])
def test_the_width_of_arrays(kind):
    clf = small().fit(np.array(IDS["equal"], kind), Y)
    with pytest.raises(ValueError, match=r"timesteps, but it had 3 in fit. Pass a list"):
        clf.predict(np.ones((2, 5), kind))
    assert clf.predict(list(np.ones((2, 5), kind))).shape == (2,)


LABELS = {
    "list with None": [0, None],
    "list with NaN": [0.0, np.nan],
    "text with NaN": np.array(["a", np.nan], object),
    "text with None": np.array(["a", None], object),
    "labels": np.array([[0, None]], object).repeat(2, axis=0).T,
}


@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("cls", [SimpleRNNClassifier, SimpleRNNRegressor])
def test_missing_targets(cls, y):
    model = cls(3)
    with pytest.raises(ValueError, match=r"Input y contains NaN: y\[1.*\] is .*\. Drop"):
        model.fit([[1], [2]], y)
    assert not hasattr(model, "n_iter_")


@pytest.mark.parametrize("dtype", ["Int64", "string", "boolean", "category"])
def test_missing_targets_of_pandas(dtype):
    pd = pytest.importorskip("pandas")
    y = pd.Series(["a" if dtype in ("string", "category") else 1, None], dtype=dtype)
    with pytest.raises(ValueError, match=r"Input y contains NaN: y\[1\] is"):
        small().fit([[1], [2]], y)
