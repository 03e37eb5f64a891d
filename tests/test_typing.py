"""What type checkers see: whole public signatures, true stubs, types in the code of a user."""

import inspect
from pathlib import Path

import pytest

import crnn
from common import PUBLIC, functions_of


def test_the_package_lists_what_is_public():
    listed = dir(crnn)
    assert {"callbacks", "datasets", "inspection", "interop", "preprocessing", "SimpleRNN"} <= set(
        listed
    )
    assert [name for name in listed if name[0] == "_"] == ["__version__"]
    assert all(hasattr(crnn, name) for name in listed)
    assert crnn.inspection.TrainingHistoryDisplay is crnn.TrainingHistoryDisplay


@pytest.mark.parametrize("name", PUBLIC)
def test_public_signatures_are_complete(name):
    found = functions_of(PUBLIC[name])
    assert found
    for where, function in found.items():
        signature = inspect.signature(function)
        parameters = [p for p in signature.parameters.values() if p.name != "self"]
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
SimpleRNNClassifier(8, True)
pad_sequences([[1]], padding="before")
clf.fit(X)
"""

# What comes from scikit-learn, or depends on an argument, has a type as well.
TYPES = """
import numpy as np
import crnn
from crnn import SimpleRNN, SimpleRNNClassifier, SimpleRNNRegressor
from crnn.datasets import fetch_imdb
from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer

for vectorizer in (SequenceVectorizer(), HashingSequenceVectorizer()):
    reveal_type(vectorizer.fit_transform(["a"]))  # ndarray
    reveal_type(vectorizer.get_feature_names_out())  # ndarray
    reveal_type(vectorizer.get_params())  # dict[str, Any]
    reveal_type(vectorizer.build_analyzer()("a b"))  # list[Any]
    reveal_type(vectorizer.decode("a"))  # Any
reveal_type(SequenceVectorizer().fit_transform(["a"]))  # ndarray
reveal_type(SequenceVectorizer().fit(["a"]))  # crnn.preprocessing._vectorizer.SequenceVectorizer
reveal_type(SequenceVectorizer().set_params(maxlen=3).vocabulary_)  # dict[Any, int]
reveal_type(HashingSequenceVectorizer().fit(["a"]).set_output(transform="pandas").maxlen)  # int
reveal_type(SimpleRNNClassifier().score([[1]], [1]))  # float
reveal_type(SimpleRNNRegressor().score([[1]], [1]))  # float
reveal_type(SimpleRNN(4)(np.zeros((2, 3, 4))))  # ndarray
output, state = SimpleRNN(4, return_state=True)(np.zeros((2, 3, 4)))
reveal_type(fetch_imdb().data)  # list[ndarray
reveal_type(fetch_imdb(raw=True, subset="all").data)  # list[str]
reveal_type(fetch_imdb().word_index)  # dict[str, int] | None
reveal_type(fetch_imdb(num_words=10, return_X_y=True))  # tuple[list[ndarray
reveal_type(fetch_imdb(raw=True, return_X_y=True)[0])  # list[str]
reveal_type(crnn.datasets.make_reviews(3)[0])  # list[str]
reveal_type(crnn.callbacks.EarlyStopping())  # crnn.callbacks.EarlyStopping
reveal_type(crnn.preprocessing.pad_sequences([[1]]))  # ndarray
"""

SAID = [
    'Revealed type is "crnn._estimators.classifier.SimpleRNNClassifier"',
    'Revealed type is "numpy.ndarray',
    'Revealed type is "dict[str, list[float]]"',
    'Revealed type is "crnn._estimators.classifier.SimpleRNNClassifier"',
    'Revealed type is "list[numpy.ndarray',
    'Revealed type is "crnn.inspection._history.TrainingHistoryDisplay"',
    'Argument "optimizer" to "SimpleRNNClassifier" has incompatible type',
    "Too many positional arguments",
    'Argument "padding" to "pad_sequences" has incompatible type',
    'Missing positional argument "y" in call to "fit"',
]


def said_of(program, tmp_path):
    """What a strict mypy says of each line of a program."""
    api = pytest.importorskip("mypy.api", reason="mypy is not installed")
    path = tmp_path / "program.py"
    path.write_text(program)
    output, errors, _ = api.run(
        ["--strict", "--config-file=", f"--cache-dir={tmp_path}", "--hide-error-context", str(path)]
    )
    assert not errors
    lines = [line for line in output.splitlines() if line.startswith(str(path))]
    # "defined in" is a second line of an error.
    return [line.replace("builtins.", "") for line in lines if "defined in" not in line]


def test_types_reach_a_program(tmp_path):
    for wanted, line in zip(SAID, said_of(PROGRAM, tmp_path), strict=True):
        assert wanted in line


def test_types_of_what_scikit_learn_gives(tmp_path):
    comments = [line.split("#")[1].strip() for line in TYPES.splitlines() if "# " in line]
    for wanted, line in zip(comments, said_of(TYPES, tmp_path), strict=True):
        assert f'Revealed type is "{wanted}' in line.replace("numpy.ndarray", "ndarray")


@pytest.mark.parametrize(
    "module", ["crnn._core", pytest.param("crnn._text", marks=pytest.mark.slow)]
)
def test_stubs_of_the_kernels(capsys, module):
    stubtest = pytest.importorskip("mypy.stubtest", reason="mypy is not installed")
    settings = str(Path(__file__).parents[1] / "pyproject.toml")
    options = stubtest.parse_options([module, "--mypy-config-file", settings])
    assert stubtest.test_stubs(options) == 0, capsys.readouterr().out
