"""What type checkers see: whole public signatures, true stubs, types in the code of a user."""

import inspect
from pathlib import Path

import pytest

import crnn
import crnn.callbacks
import crnn.datasets
import crnn.preprocessing

MODULES = (crnn, crnn.callbacks, crnn.datasets, crnn.preprocessing)
PUBLIC = {name: getattr(m, name) for m in MODULES for name in m.__all__ if name[0] != "_"}


def functions_of(thing):
    """Public functions that crnn itself defines, by name."""
    if inspect.isfunction(thing):
        yield thing.__name__, thing
        return
    for cls in thing.__mro__:
        for name, member in vars(cls).items():
            own = cls.__module__.startswith("crnn.")
            if own and (not name.startswith("_") or name in ("__init__", "__call__")):
                function = inspect.unwrap(getattr(member, "__func__", member))
                if inspect.isfunction(function):
                    yield f"{cls.__name__}.{name}", function


@pytest.mark.parametrize("name", PUBLIC)
def test_public_signatures_are_complete(name):
    found = dict(functions_of(PUBLIC[name]))
    assert found
    for where, function in found.items():
        signature = inspect.signature(function)
        parameters = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
        bare = [p.name for p in parameters if p.annotation is p.empty]
        assert not bare, f"{where}: {bare} have no types"
        assert signature.return_annotation is not signature.empty, f"{where} returns what?"


PROGRAM = """
from crnn import SimpleRNN, SimpleRNNClassifier, TrainingHistoryDisplay
from crnn.callbacks import EarlyStopping
from crnn.datasets import make_reviews
from crnn.preprocessing import SequenceVectorizer, pad_sequences

texts, y = make_reviews(10)
X = SequenceVectorizer(maxlen=20).fit_transform(texts)
clf = SimpleRNNClassifier(8, callbacks=[EarlyStopping("loss")]).fit(X, y)
reveal_type(clf)
reveal_type(clf.predict_proba([[1, 2], [3]]))
reveal_type(clf.history_)
reveal_type(SimpleRNNClassifier.load("a"))
reveal_type(SimpleRNN(4).get_weights())
reveal_type(TrainingHistoryDisplay.from_estimator(clf).plot())
SimpleRNNClassifier(8, optimizer="rmsprob")
SimpleRNNClassifier(8, 32)
pad_sequences([[1]], padding="before")
clf.fit(X)
"""

SAID = [
    'Revealed type is "crnn._classifier.SimpleRNNClassifier"',
    'Revealed type is "numpy.ndarray',
    'Revealed type is "dict[str, list[float]]"',
    'Revealed type is "crnn._classifier.SimpleRNNClassifier"',
    'Revealed type is "list[numpy.ndarray',
    'Revealed type is "crnn._display.TrainingHistoryDisplay"',
    'Argument "optimizer" to "SimpleRNNClassifier" has incompatible type',
    "Too many positional arguments",
    'Argument "padding" to "pad_sequences" has incompatible type',
    'Missing positional argument "y" in call to "fit"',
]


def test_types_reach_a_program(tmp_path):
    api = pytest.importorskip("mypy.api", reason="mypy is not installed")
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    output, errors, _ = api.run(
        ["--strict", "--config-file=", f"--cache-dir={tmp_path}", "--hide-error-context", str(path)]
    )
    assert not errors
    lines = [line for line in output.splitlines() if line.startswith(str(path))]
    said = [
        line for line in lines if "defined in" not in line
    ]  # which is a second line of an error
    for wanted, line in zip(SAID, said, strict=True):
        assert wanted in line.replace("builtins.", "")


def test_stubs_of_the_kernels(capsys):
    stubtest = pytest.importorskip("mypy.stubtest", reason="mypy is not installed")
    settings = str(Path(__file__).parents[1] / "pyproject.toml")
    options = stubtest.parse_options(["crnn._core", "--mypy-config-file", settings])
    assert stubtest.test_stubs(options) == 0, capsys.readouterr().out
