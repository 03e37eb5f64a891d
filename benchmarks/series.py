"""Classification of the real series that aeon ships: crnn beside nearest neighbours and others.

Each set with the split that it comes with. "crnn" is the classifier without arguments on the series
as they are, "pipeline" the one of the user guide, the same for all sets: both were chosen by
cross-validation on the training parts. Series of unequal lengths are padded with zeros at the end
for the models that read flat values or arrays.

    pip install aeon
"""

import argparse
from statistics import median
from time import perf_counter

import numpy as np
from aeon.classification.convolution_based import MiniRocketClassifier
from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier
from aeon.datasets import load_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crnn import SimpleRNNClassifier
from crnn.preprocessing import SeriesLayout, SeriesPatches, SeriesScaler, pad_sequences

SETS = [
    "GunPoint", "ItalyPowerDemand", "ArrowHead", "OSULeaf", "ACSF1", "BasicMotions",
    "JapaneseVowels",
]  # fmt: skip
TOP = "majority", "LR flat", "HGB flat", "1-NN DTW", "MiniRocket", "crnn", "pipeline", "seconds"


def network(seed, **options):
    return SimpleRNNClassifier(random_state=seed, n_jobs=-1, **options)


def pipeline(seed):
    return make_pipeline(
        SeriesLayout(), SeriesScaler(), SeriesPatches(), network(seed, dropout=0.5)
    )


def as_array(X):
    """(n, channels, timesteps), shorter series padded with zeros."""
    if isinstance(X, np.ndarray):
        return X
    width = 29  # the longest of JapaneseVowels, of both parts
    padded = pad_sequences([x.T for x in X], width, dtype="float64", padding="post")
    return padded.transpose(0, 2, 1)


def baselines(with_peers):
    """Models by name, and what each reads: "flat", "array" or "as is"."""
    models = {
        "majority": (DummyClassifier(), "flat"),
        "LR flat": (make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)), "flat"),
        "HGB flat": (HistGradientBoostingClassifier(random_state=0), "flat"),
    }
    if with_peers:
        nearest = {"n_neighbors": 1, "distance": "dtw", "distance_params": {"window": 0.1}}
        models["1-NN DTW"] = KNeighborsTimeSeriesClassifier(**nearest), "as is"
        models["MiniRocket"] = MiniRocketClassifier(random_state=0), "array"
    return models


def accuracies(name, seeds, with_peers):
    """Test accuracies by model, and the seconds of a fit of the pipeline."""
    (X, y), (X_test, y_test) = (load_classification(name, split=s) for s in ("train", "test"))
    scores = {}
    for model, (classifier, reads) in baselines(with_peers).items():
        A, B = (X, X_test) if reads == "as is" else (as_array(X), as_array(X_test))
        if reads == "flat":
            A, B = A.reshape(len(A), -1), B.reshape(len(B), -1)
        scores[model] = classifier.fit(A, y).score(B, y_test)
    for model, make in {
        "crnn": lambda seed: make_pipeline(SeriesLayout(), network(seed)),
        "pipeline": pipeline,
    }.items():
        start = perf_counter()
        fitted = [make(seed).fit(X, y) for seed in seeds]
        scores["seconds"] = (perf_counter() - start) / len(seeds)
        scores[model] = median(classifier.score(X_test, y_test) for classifier in fitted)
    return scores


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default 0 1 2")
    parser.add_argument("--no-peers", action="store_true", help="without DTW and MiniRocket")
    args = parser.parse_args()

    print(f"{'set':18s}" + "".join(f"{model:>11s}" for model in TOP))
    for name in SETS:
        scores = accuracies(name, args.seeds, not args.no_peers)
        cells = (f"{scores[m]:11.3f}" if m in scores else f"{'-':>11s}" for m in TOP)
        print(f"{name:18s}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
