"""Classification of the real series that aeon ships, by the defaults and by simple baselines.

Each set with the split that it comes with. The series are as they are: the network gets no scaling
and no patches. Sequences of unequal length go to the network and to nearest neighbours only.

    pip install aeon
"""

import argparse
from statistics import median

import numpy as np
from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier
from aeon.datasets import load_classification
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crnn import SimpleRNNClassifier

SETS = [
    "GunPoint", "ItalyPowerDemand", "ArrowHead", "OSULeaf", "ACSF1", "BasicMotions",
    "JapaneseVowels",
]  # fmt: skip


def steps_first(X):
    """(n, channels, timesteps) of aeon, or a list of (channels, timesteps), as crnn reads them."""
    if isinstance(X, list):
        return [x.T.astype(np.float32) for x in X]
    return np.ascontiguousarray(X.transpose(0, 2, 1), dtype=np.float32)


def accuracies(name, seeds, with_dtw):
    """Test accuracies by model."""
    (X, y), (X_test, y_test) = (load_classification(name, split=s) for s in ("train", "test"))
    scores = {
        "majority": DummyClassifier().fit(np.zeros(len(y)), y).score(np.zeros(len(y_test)), y_test)
    }
    if not isinstance(X, list):
        flat = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        flat.fit(X.reshape(len(X), -1), y)
        scores["logistic regression"] = flat.score(X_test.reshape(len(X_test), -1), y_test)
    if with_dtw:
        nearest = KNeighborsTimeSeriesClassifier(
            n_neighbors=1, distance="dtw", distance_params={"window": 0.1}
        )
        scores["1-NN DTW"] = nearest.fit(X, y).score(X_test, y_test)
    networks = [SimpleRNNClassifier(random_state=s).fit(steps_first(X), y) for s in seeds]
    scores["crnn"] = median(clf.score(steps_first(X_test), y_test) for clf in networks)
    return scores


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default 0 1 2")
    parser.add_argument("--no-dtw", action="store_true", help="leave nearest neighbours out")
    args = parser.parse_args()

    models = ["majority", "logistic regression", "1-NN DTW", "crnn"]
    print(f"{'set':20s}" + "".join(f"{model:>21s}" for model in models))
    for name in SETS:
        scores = accuracies(name, args.seeds, not args.no_dtw)
        cells = (f"{scores[m]:21.3f}" if m in scores else f"{'-':>21s}" for m in models)
        print(f"{name:20s}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
