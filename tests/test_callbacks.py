"""Callbacks: plain ones, those of crnn, and scikit-learn's protocol where it is installed."""

import os
import pickle

import numpy as np
import pytest
import sklearn
from joblib import parallel_config
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.utils.fixes import parse_version

from crnn import SimpleRNNClassifier, SimpleRNNTransformer
from crnn.callbacks import Checkpoint, EarlyStopping, ProgressBar
from crnn.datasets import make_reviews
from crnn.preprocessing import SequenceVectorizer

has_callbacks = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="scikit-learn has callbacks from 1.9 on",
)


def data(n=60):
    rng = np.random.default_rng(0)
    X = rng.integers(1, 9, (n, 6))
    return X, (X[:, -2:] == 3).any(axis=1)


def small(**options):
    """A classifier whose fit of n epochs begins like that of more epochs."""
    defaults = {"learning_rate_schedule": "constant", "vocabulary_size": 9, "batch_size": 20}
    return SimpleRNNClassifier(4, **defaults | {"max_iter": 4, "random_state": 0} | options)


def test_plain_callbacks_see_the_estimator_after_each_epoch():
    X, y = data()
    seen = []
    clf = small(callbacks=[lambda estimator: seen.append(estimator)]).fit(X, y)
    assert [estimator.n_iter_ for estimator in seen] == [1, 2, 3, 4]
    for estimator in seen:
        same = small(max_iter=estimator.n_iter_).fit(X, y)
        np.testing.assert_array_equal(estimator.predict_proba(X), same.predict_proba(X))
        assert estimator.history_ == same.history_
    np.testing.assert_array_equal(clf.predict_proba(X), seen[-1].predict_proba(X))


def test_callbacks_share_one_read_only_snapshot():
    X, y = data()
    seen, plain = [], small(early_stopping=True, optimizer="adam").fit(X, y)

    def meddle(estimator):
        for array in estimator.weights_.values():
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0
        seen.append(dict(estimator.weights_))
        estimator.set_params(learning_rate=1.0).partial_fit(X, ~y)
        estimator.weights_["head/bias"] = np.ones(1)
        estimator.history_["loss"].append(0.0)
        estimator.n_iter_ = 99

    def look(estimator):
        assert estimator.n_iter_ == len(estimator.history_["loss"]) == len(seen)
        for name, array in estimator.weights_.items():
            assert array is seen[-1][name], "all callbacks share the arrays"

    clf = small(early_stopping=True, optimizer="adam", callbacks=[meddle, look]).fit(X, y)
    assert len(seen) == 4
    assert clf.history_ == plain.history_
    for name, array in clf.weights_.items():
        np.testing.assert_array_equal(array, plain.weights_[name])
        assert array.flags.writeable
        assert not any(np.shares_memory(array, weights[name]) for weights in seen)


@pytest.mark.parametrize("how", ["plain", pytest.param("protocol", marks=has_callbacks)])
def test_callbacks_know_how_far_the_fit_is(how):
    class Progress(EarlyStopping):
        def __call__(self, estimator):
            seen.append(tuple(estimator.fit_progress_))
            if interrupt and estimator.n_iter_ == 6:
                raise KeyboardInterrupt

    X, y = data()
    seen, interrupt, progress = [], False, Progress("loss")
    clf = small(warm_start=True)
    clf = clf.set_params(callbacks=[progress]) if how == "plain" else clf.set_callbacks(progress)
    assert not hasattr(clf, "fit_progress_")
    assert clf.fit(X, y).fit_progress_ is None
    interrupt = True
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y)
    assert clf.fit_progress_ == (2, 4)
    interrupt = False
    assert clf.resume(X, y).fit_progress_ is None
    one_fit = [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert seen == [*one_fit, *one_fit[:2], (2, 4), *one_fit[2:]]  # asked once when it is resumed


def test_any_callback_stops_and_all_are_asked():
    X, y = data()
    calls = []
    callbacks = [lambda e: e.n_iter_ == 2, lambda e: calls.append(e.n_iter_)]
    clf = small(callbacks=callbacks).fit(X, y)
    assert clf.n_iter_ == 2
    assert calls == [1, 2]
    assert clone(clf).fit(X, y).n_iter_ == 2


@pytest.mark.parametrize("mode", ["min", "max"])
def test_early_stopping(mode):
    X, y = data()
    stop = EarlyStopping("loss", patience=2, min_delta=100, mode=mode)
    clf = small(max_iter=50, callbacks=[stop])
    assert clf.fit(X, y).n_iter_ == 3
    assert clf.fit(X, y).n_iter_ == 3  # it starts anew


def test_early_stopping_waits_for_better_figures():
    X, y = data()
    options = {"validation_fraction": 0.5, "learning_rate": 0.05, "max_iter": 100}
    clf = small(**options, callbacks=[EarlyStopping(patience=4)]).fit(X, y)
    losses = clf.history_["val_loss"]
    assert len(losses) < 100
    assert int(np.argmin(losses)) == len(losses) - 1 - 4
    last = log_loss(y[30:], clf.predict_proba(X[30:]))  # the weights of the last epoch stay
    assert last == pytest.approx(losses[-1], rel=1e-5)


def test_a_figure_that_is_not_there_changes_nothing():
    X, y = data()
    clf = small().fit(X, y)
    before = clf.predict_proba(X)
    clf.set_params(callbacks=[EarlyStopping("val_f1")])
    with pytest.raises(ValueError, match="monitor='val_f1' is not in the history"):
        clf.fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), before)


def test_training_goes_on_from_a_checkpoint(tmp_path):
    X, y = data()
    clf = small(callbacks=[Checkpoint(tmp_path / "epoch-{epoch}.npz")]).fit(X, y)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"epoch-{i}.npz" for i in range(1, 5)]
    again = SimpleRNNClassifier.load(tmp_path / "epoch-2.npz")
    again.set_params(warm_start=True, max_iter=2).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert again.history_ == clf.history_


def test_only_better_checkpoints(tmp_path):
    X, y = data()
    path = tmp_path / "best.npz"
    options = {"validation_fraction": 0.5, "learning_rate": 0.05, "max_iter": 60}
    clf = small(**options, callbacks=[Checkpoint(path, monitor="val_loss")]).fit(X, y)
    losses = clf.history_["val_loss"]
    assert SimpleRNNClassifier.load(path).n_iter_ == int(np.argmin(losses)) + 1 < 60


class Record:
    """A callback by scikit-learn's protocol."""

    def __init__(self, last=100):
        self.last, self.events, self.scores = last, [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X, y):
        self.events.append(("begin", context.task_name, len(X), len(y)))

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.events.append(("end", context.task_name))
        self.scores.append(fitted_estimator.score(X, y))
        return context.task_name == "epoch" and fitted_estimator.n_iter_ >= self.last


@has_callbacks
def test_protocol_of_scikit_learn():
    X, y = data()
    record = Record(last=3)
    clf = small().set_callbacks(record).fit(X, y)
    epoch = [("begin", "epoch", 60, 60), ("end", "epoch")]
    fit = [("begin", "fit", 60, 60), *3 * epoch, ("end", "fit")]
    assert record.events == ["setup", *fit, "teardown"]
    assert clf.n_iter_ == 3
    assert record.scores[-2] == record.scores[-1] == clf.score(X, y)


@has_callbacks
def test_an_error_in_a_callback_changes_nothing():
    class Broken(Record):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("broken")

    X, y = data()
    clf = small().fit(X, y)
    before, broken = clf.predict_proba(X), Broken()
    clf.set_callbacks(broken)
    with pytest.raises(RuntimeError, match="broken"):
        clf.fit(X, y)
    assert broken.events[-1] == "teardown"
    np.testing.assert_array_equal(clf.predict_proba(X), before)


@has_callbacks
def test_callbacks_of_both_kinds(tmp_path):
    from sklearn.callback import ScoringMonitor

    X, y = data()
    monitor = ScoringMonitor(scoring="accuracy")
    clf = small(max_iter=50).set_callbacks(
        monitor, EarlyStopping("loss", min_delta=100), Checkpoint(tmp_path / "last.npz")
    )
    clf.fit(X, y)
    assert clf.n_iter_ == 4
    assert SimpleRNNClassifier.load(tmp_path / "last.npz").n_iter_ == 4
    logged = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    wanted = [small(max_iter=n).fit(X, y).score(X, y) for n in range(1, 5)]
    np.testing.assert_allclose(logged, wanted)


@has_callbacks
@pytest.mark.parametrize("wrapped", [False, True])
def test_scores_of_scikit_learns_monitor_are_weighted(wrapped):
    from sklearn.callback import ScoringMonitor

    X, y = data()
    weights, monitor = np.where(y, 9.0, 0.5), ScoringMonitor(scoring="accuracy")
    clf = small().set_callbacks(monitor)
    fit = SimpleRNNTransformer(clf).fit if wrapped else clf.fit
    fit(X, y, sample_weight=weights, X_val=X[:9], y_val=y[:9])
    logged = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    models = [small(max_iter=n).fit(X, y, sample_weight=weights) for n in range(1, 5)]
    wanted = [model.score(X, y, sample_weight=weights) for model in models]
    np.testing.assert_allclose(logged, wanted)
    assert wanted[-1] != pytest.approx(models[-1].score(X, y))


@has_callbacks
@pytest.mark.parametrize("wrapped", [False, True])
def test_metadata_of_the_protocol(wrapped):
    class Metadata(Record):
        def on_fit_task_begin(self, estimator, context, *, metadata):
            self.events.append(metadata)

        def on_fit_task_end(self, estimator, context, *, metadata):
            self.events.append(metadata)

    X, y = data()
    network = small(max_iter=2)
    for weights in (None, np.linspace(0.1, 3, 60)):
        record = Metadata()
        model = SimpleRNNTransformer(network) if wrapped else clone(network)
        model.set_callbacks(record).fit(X, y, sample_weight=weights)
        told = record.events[1:-1]
        assert len(told) == (2 if wrapped else 6)
        for metadata in told:
            assert list(metadata) == ([] if weights is None else ["sample_weight"])
            assert metadata.get("sample_weight") is weights


@pytest.mark.parametrize("callback", [EarlyStopping, Record, 3, "print"])
def test_what_is_no_callback(callback):
    X, y = data()
    clf = small().fit(X, y)
    before = pickle.dumps(clf.set_params(callbacks=[callback]))
    with pytest.raises(TypeError, match="callbacks must be functions of the estimator, or objects"):
        clf.fit(X, y)
    assert pickle.dumps(clf) == before


def test_checks_come_before_callbacks():
    class Begun(EarlyStopping):
        def begin(self, estimator):
            raise AssertionError("too early")

    X, y = data()
    clf = small(callbacks=[Begun("loss")], validation_fraction=0.5)
    with pytest.raises(ValueError, match="f_one"):
        clf.set_params(scoring=["f_one"]).fit(X, y)


@has_callbacks
def test_a_progress_bar_over_a_search(capfd):
    pytest.importorskip("rich", reason="rich is not installed")
    from sklearn.callback import ProgressBar

    X, y = data()
    search = GridSearchCV(small(max_iter=2), {"units": [2, 3]}, cv=2).set_callbacks(ProgressBar())
    search.fit(X, y)
    assert search.best_estimator_.n_iter_ == 2
    assert capfd.readouterr().out.count("SimpleRNNClassifier - fit") == 5


def with_bar(how):
    if how == "plain":
        return small(callbacks=[ProgressBar()])
    return small().set_callbacks(ProgressBar())


def bars():
    """The ways to show a bar, each of which clones and pickles."""
    pytest.importorskip("rich", reason="rich is not installed")
    ways = ["plain", "protocol"] if hasattr(small(), "set_callbacks") else ["plain"]
    models = [with_bar(way) for way in ways]
    return [*models, *map(clone, models), *(pickle.loads(pickle.dumps(m)) for m in models)]


def test_no_bar_without_a_terminal(capfd):
    for clf in bars():
        clf.fit(*data())
        clone(clf).fit(*data())
    assert capfd.readouterr() == ("", "")


def test_a_bar_in_a_terminal(monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")
    X, y = data()
    for clf in bars():
        clf.fit(X, y)
        shown = capfd.readouterr().out
        assert "SimpleRNNClassifier" in shown
        assert "4/4" in shown
        assert f"loss {clf.history_['loss'][-1]:.4f}" in shown
        assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1, "the cursor is back"


def test_a_bar_of_a_fit_that_fails(monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")

    def fail(estimator):
        if estimator.n_iter_ == 2:
            raise KeyboardInterrupt

    X, y = data()
    clf = small(callbacks=[ProgressBar(), fail])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y)
    shown = capfd.readouterr().out
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1, "the cursor is back"
    assert "2/4" in shown
    assert "4/4" not in shown
    clf.set_params(callbacks=[ProgressBar()]).resume(X, y)
    assert "4/4" in capfd.readouterr().out


@has_callbacks
def test_one_callback_for_several_fits_at_a_time():
    """Clones share what set_callbacks was given."""
    X, y = data()
    clf = small(max_iter=60, learning_rate=0.01)
    clf.set_callbacks(EarlyStopping("loss", patience=2, min_delta=0.01))

    def epochs(**how):
        fits = cross_validate(clf, X, y, cv=4, return_estimator=True, **how)
        return [fitted.n_iter_ for fitted in fits["estimator"]]

    wanted = epochs()
    assert len(set(wanted)) > 1
    for _ in range(3):
        with parallel_config("threading"):
            assert epochs(n_jobs=4) == wanted


@has_callbacks
@pytest.mark.parametrize(
    "callback", [EarlyStopping("loss"), Checkpoint("model.npz"), ProgressBar()]
)
def test_callbacks_belong_to_a_network(callback):
    X, y = data()
    search = GridSearchCV(small(), {"units": [2]}, cv=2).set_callbacks(callback)
    with pytest.raises(TypeError, match=r"GridSearchCV is not; call set_callbacks on the network"):
        search.fit(X, y)


@has_callbacks
def test_callbacks_of_scikit_learn_pass_through_all_steps(capsys):
    from sklearn.callback import ProgressBar as Bar

    texts, y = make_reviews(60, random_state=0)
    steps = [SequenceVectorizer(maxlen=20), SimpleRNNTransformer(small(vocabulary_size=None))]
    record = Record()
    steps[1].estimator.set_callbacks(record)
    make_pipeline(*steps, LogisticRegression()).set_callbacks(Bar()).fit(texts, y)
    assert ("end", "epoch") in record.events


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EarlyStopping(mode="mn"), "'mode' parameter"),
        (lambda: EarlyStopping(patience=0), "'patience' parameter"),
        (lambda: EarlyStopping(min_delta=-1), "'min_delta' parameter"),
        (lambda: Checkpoint(3), "'path' parameter"),
        (lambda: Checkpoint("{.npz"), "braces that do not enclose {epoch}"),
        (lambda: Checkpoint("{}.npz"), "braces that do not enclose {epoch}"),
        (lambda: Checkpoint("{units.real}.npz"), "braces that do not enclose {epoch}"),
        (
            lambda: small(callbacks=[Checkpoint("{step}.npz")]).fit(*data()),
            r"names \['step'\], but a SimpleRNNClassifier has no such parameters",
        ),
        (lambda: small(callbacks=[1]).fit(*data()), "callbacks must be functions"),
    ],
)
def test_callbacks_that_are_none(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_names_with_numbers_of_epochs(tmp_path):
    small(max_iter=2, callbacks=[Checkpoint(tmp_path / "{epoch:03}.npz")]).fit(*data())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["001.npz", "002.npz"]


def test_names_with_parameters(tmp_path):
    """Each candidate of a search has a file of its own."""
    X, y = data()
    path = tmp_path / "{units}-{learning_rate:.0e}-{epoch}.npz"
    clf = small(learning_rate=1e-3, callbacks=[Checkpoint(path)])
    GridSearchCV(clf, {"units": [2, 3]}, cv=2, n_jobs=2, refit=False).fit(X, y)
    names = {f"{units}-1e-03-{epoch}.npz" for units in (2, 3) for epoch in range(1, 5)}
    assert {path.name for path in tmp_path.iterdir()} == names
    for units in (2, 3):
        assert SimpleRNNClassifier.load(tmp_path / f"{units}-1e-03-4.npz").units == units


def test_a_path_that_is_a_function(tmp_path):
    X, y = data()
    clf = small(callbacks=[Checkpoint(lambda e: tmp_path / f"{e.units}" / f"{e.n_iter_}.npz")])
    for units in (2, 3):
        clone(clf).set_params(units=units).fit(X, y)
        assert SimpleRNNClassifier.load(tmp_path / f"{units}" / "4.npz").units == units


def test_a_path_of_bytes(tmp_path):
    small(callbacks=[Checkpoint(os.fsencode(tmp_path / "{epoch}.npz"))], max_iter=1).fit(*data())
    assert SimpleRNNClassifier.load(tmp_path / "1.npz").n_iter_ == 1


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_clones_that_save_to_one_file(n_jobs, tmp_path):
    X, y = data()
    clf = small(callbacks=[Checkpoint(tmp_path / "best.npz")], max_iter=1)
    with pytest.warns(UserWarning, match=r"Clones .* the same file.*best\.npz.* as path") as said:
        cross_validate(clf, X, y, cv=4, n_jobs=n_jobs)
    assert len(said) == 1
    cross_validate(clf, X, y, cv=4, n_jobs=n_jobs)  # it has been said
    alone = small(callbacks=[Checkpoint(tmp_path / "best.npz")], max_iter=1)
    clone(alone).fit(X, y).fit(X, y)  # by one clone, and by one estimator again
    pickle.loads(pickle.dumps(alone)).fit(X, y)
    assert SimpleRNNClassifier.load(tmp_path / "best.npz").n_iter_ == 1


@has_callbacks
def test_clones_that_share_a_checkpoint(tmp_path):
    X, y = data()
    clf = small(max_iter=1).set_callbacks(Checkpoint(tmp_path / "best.npz"))
    clf.fit(X, y).fit(X, y)
    with pytest.warns(UserWarning, match="Clones .* the same file") as said:
        cross_validate(clf, X, y, cv=4)
    assert len(said) == 1
    clf = small(max_iter=1).set_callbacks(Checkpoint(tmp_path / "{units}.npz"))
    cross_validate(pickle.loads(pickle.dumps(clf.fit(X, y))), X, y, cv=4)


def test_a_folder_is_made_or_refused_before_the_first_epoch(tmp_path):
    X, y = data()
    small(max_iter=1, callbacks=[Checkpoint(tmp_path / "new" / "{epoch}" / "a.npz")]).fit(X, y)
    assert SimpleRNNClassifier.load(tmp_path / "new" / "1" / "a.npz").n_iter_ == 1
    (tmp_path / "file").write_bytes(b"")
    epochs = []
    for path in (tmp_path / "file" / "a.npz", tmp_path, tmp_path / ("n" * 300)):
        clf = small(callbacks=[lambda e: epochs.append(e.n_iter_), Checkpoint(path)])
        before = vars(clf).copy()
        with pytest.raises(OSError, match=r"Not a directory|File exists|regular file|too long"):
            clf.fit(X, y)
        assert vars(clf) == before
    assert epochs == []


@has_callbacks
def test_a_fit_that_a_callback_had_ended_is_at_its_end(tmp_path):
    """Its last checkpoint is of before it ended."""
    X, y = data()
    path, stop = tmp_path / "job.npz", EarlyStopping("loss", patience=2, min_delta=1.0)
    wanted = small(max_iter=9).set_callbacks(stop, Checkpoint(path)).fit(X, y)
    again = SimpleRNNClassifier.load(path).set_callbacks(stop).resume(X, y)
    assert again.n_iter_ == wanted.n_iter_ == 3
    np.testing.assert_array_equal(again.kernel_, wanted.kernel_)


def test_callbacks_end_where_another_one_does_not_begin():
    X, y = data()
    ended = []

    class Open:
        def begin(self, estimator):
            pass

        def __call__(self, estimator):
            if estimator.n_iter_ == 2:
                raise KeyboardInterrupt

        def end(self):
            ended.append(True)

    clf = small(callbacks=[Open()])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y)
    clf.set_params(callbacks=[Open(), EarlyStopping("val_loss")])
    with pytest.raises(ValueError, match="monitor='val_loss' is not in the history"):
        clf.resume(X, y)
    assert ended == [True, True]
