"""Each example explains itself; .ci/run runs them."""

import runpy
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_help(path):
    command = [sys.executable, str(path), "--help"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "usage:" in result.stdout


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
