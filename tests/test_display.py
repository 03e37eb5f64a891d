"""The training history as figures."""

import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from crnn import SimpleRNNClassifier, TrainingHistoryDisplay
from crnn.datasets import make_reviews
from crnn.preprocessing import SequenceVectorizer

pytest.importorskip("matplotlib").use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

NAMES = ["accuracy", "val_accuracy", "loss", "val_loss"]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def fit(**parameters):
    X = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 5
    return SimpleRNNClassifier(4, max_iter=3, random_state=0, **parameters).fit(X, [1, 0, 1, 0] * 5)


@pytest.fixture
def clf():
    return fit(validation_fraction=0.2)


def test_draws_the_history(clf):
    display = TrainingHistoryDisplay.from_estimator(clf).plot()
    assert list(display.lines_) == NAMES
    for name, line in display.lines_.items():
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(line.get_ydata(), clf.history_[name])
        is_validation = name.startswith("val_")
        assert line.get_marker() == ("None" if is_validation else "o")
        assert line.get_linestyle() == ("-" if is_validation else "None")
    assert [line.axes for line in display.lines_.values()] == list(np.repeat(display.axes_, 2))


def test_labels(clf):
    display = TrainingHistoryDisplay.from_estimator(clf).plot()
    for ax, metric in zip(display.axes_, ["accuracy", "loss"], strict=True):
        assert ax.get_title() == f"Training and validation {metric}\nSimpleRNNClassifier"
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("Epoch", metric.capitalize())
        legend = [text.get_text() for text in ax.get_legend().get_texts()]
        assert legend == [f"Training {metric}", f"Validation {metric}"]


def test_name_in_titles(clf):
    display = TrainingHistoryDisplay.from_estimator(clf, name="on reviews").plot()
    assert display.axes_[0].get_title() == "Training and validation accuracy\non reviews"
    display = TrainingHistoryDisplay(clf.history_).plot()
    assert display.axes_[0].get_title() == "Training and validation accuracy"


def test_the_epoch_that_early_stopping_kept_is_marked():
    texts, y = make_reviews(300, random_state=0)
    X = SequenceVectorizer(maxlen=40).fit_transform(texts)
    clf = SimpleRNNClassifier(
        32, max_iter=30, early_stopping=True, n_iter_no_change=2, learning_rate=0.01, random_state=0
    )
    clf.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    display = TrainingHistoryDisplay.from_estimator(make_pipeline("passthrough", clf)).plot()
    kept = display.kept_epoch
    assert kept < clf.n_iter_
    # The model predicts as it did in that epoch.
    loss = log_loss(y[200:], clf.predict_proba(X[200:]))
    np.testing.assert_allclose(loss, clf.history_["val_loss"][kept - 1], rtol=1e-5)
    for ax in display.axes_:
        (mark,) = (line for line in ax.lines if line.get_label() == f"Epoch kept: {kept}")
        np.testing.assert_array_equal(mark.get_xdata(), kept)
        assert mark.get_label() in [text.get_text() for text in ax.get_legend().get_texts()]
    clf.set_params(warm_start=True, max_iter=1).fit(X[:200], y[:200])  # without validation
    assert TrainingHistoryDisplay.from_estimator(clf).kept_epoch == clf.n_iter_
    clf.set_params(early_stopping=False).fit(X[:200], y[:200])
    assert TrainingHistoryDisplay.from_estimator(clf).kept_epoch is None


def test_without_validation():
    display = TrainingHistoryDisplay.from_estimator(fit()).plot()
    assert list(display.lines_) == ["accuracy", "loss"]
    assert display.axes_[1].get_title() == "Training loss\nSimpleRNNClassifier"


def test_epochs_are_marked_by_whole_numbers(clf):
    display = TrainingHistoryDisplay.from_estimator(clf).plot()
    display.figure_.canvas.draw()
    ticks = display.axes_[0].get_xticks()
    np.testing.assert_array_equal(ticks, np.round(ticks))


def test_from_estimator_makes_no_figure(clf):
    TrainingHistoryDisplay.from_estimator(clf)
    assert plt.get_fignums() == []


def test_plot_makes_one_figure(clf):
    display = TrainingHistoryDisplay.from_estimator(clf).plot()
    assert plt.get_fignums() == [display.figure_.number]


@pytest.mark.parametrize("shape", [(1, 2), (2, 1)])
def test_draws_on_given_axes(clf, shape):
    figure, axes = plt.subplots(*shape)
    display = TrainingHistoryDisplay.from_estimator(clf).plot(ax=axes)
    assert display.figure_ is figure
    assert list(display.axes_) == list(axes)
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_one_metric_on_one_axes(clf, metric):
    figure, ax = plt.subplots()
    display = TrainingHistoryDisplay.from_estimator(clf).plot(ax=ax, metric=metric)
    assert list(display.axes_) == [ax]
    assert list(display.lines_) == [metric, f"val_{metric}"]
    assert plt.get_fignums() == [figure.number]


def test_one_metric_on_a_new_figure(clf):
    display = TrainingHistoryDisplay.from_estimator(clf).plot(metric="loss")
    assert display.figure_.axes == list(display.axes_)
    assert list(display.lines_) == ["loss", "val_loss"]


def test_wrong_number_of_axes(clf):
    _, axes = plt.subplots(1, 3)
    display = TrainingHistoryDisplay.from_estimator(clf)
    with pytest.raises(ValueError, match=r"one axes for each of \['accuracy', 'loss'\], got 3"):
        display.plot(ax=axes)
    with pytest.raises(ValueError, match="got 1; to draw on a single axes"):
        display.plot(ax=axes[0])


def test_unknown_metric(clf):
    display = TrainingHistoryDisplay.from_estimator(clf)
    with pytest.raises(ValueError, match=r"metric must be one of .* got 'auc'"):
        display.plot(metric="auc")
    assert plt.get_fignums() == []


def test_unfitted():
    with pytest.raises(NotFittedError, match="This SimpleRNNClassifier has no history_"):
        TrainingHistoryDisplay.from_estimator(SimpleRNNClassifier())


def test_the_history_of_a_pipeline_is_that_of_its_last_step(clf):
    display = TrainingHistoryDisplay.from_estimator(make_pipeline("passthrough", clf))
    assert display.history == clf.history_
    with pytest.raises(NotFittedError, match="pass the fitted SimpleRNNClassifier inside it"):
        TrainingHistoryDisplay.from_estimator(OneVsRestClassifier(clf))


def test_without_matplotlib(clf, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    display = TrainingHistoryDisplay.from_estimator(clf)
    with pytest.raises(ImportError, match=r'pip install "crnn\[plot\]"'):
        display.plot()
