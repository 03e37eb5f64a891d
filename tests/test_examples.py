"""Each example explains itself; .ci/run runs them."""

import runpy
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_help(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    monkeypatch.syspath_prepend(path.parent)  # as when it runs by itself
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(path), run_name="__main__")
    assert end.value.code == 0
    assert "usage:" in capsys.readouterr().out


@pytest.mark.slow
def test_generated_reviews_teach_what_imdb_does():
    """The network beats a bag of words, then learns its training reviews by heart."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    imdb = runpy.run_path(str(EXAMPLES[0].with_name("imdb.py")))
    X, y, *_ = imdb["generate"](Namespace(max_samples=None))
    args = Namespace(units=32, batch_size=128, epochs=10, n_jobs=2)
    history = imdb["train"](X, y, 0, args)[0].history_
    best = max(history["val_accuracy"])
    assert 0.9 < best < 0.97
    assert history["accuracy"][-1] > best > history["val_accuracy"][-1]
    texts, y = imdb["generate_texts"](5000)
    bag = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())
    assert bag.fit(texts[:4000], y[:4000]).score(texts[4000:], y[4000:]) < 0.75
