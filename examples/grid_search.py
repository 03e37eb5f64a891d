"""Raw text in a pipeline: cross-validation and grid search.

The search runs with the vectorizer inside the pipeline, so that no fold learns its vocabulary from
the reviews that it is scored on. The texts are IMDB reviews if an archive of them is on disk, and
generated ones otherwise; every line of output says which.
"""

import argparse

import numpy as np
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline

from crnn import SimpleRNNClassifier
from crnn.datasets import fetch_imdb, make_reviews
from crnn.preprocessing import SequenceVectorizer

# Leaving out words helps with IMDB, and harms where a single "not" decides, as in generated texts.
GRID = {
    "simplernnclassifier__units": [16, 32],
    "simplernnclassifier__token_dropout": [0.0, 0.3],
}


def load(n_samples, data_home):
    """Texts, labels and the name of the data set."""
    try:
        # Not downloaded: the archive is large, and only a few of its reviews are needed.
        texts, y = fetch_imdb(
            data_home=data_home, raw=True, download_if_missing=False, return_X_y=True
        )
    except OSError:
        print(
            "No archive of the IMDB texts could be read (--data-home sets its folder), so this "
            "runs on generated data."
        )
        return *make_reviews(n_samples, random_state=0), "generated data"
    return texts[:n_samples], y[:n_samples], "IMDB"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=2000, help="reviews, default 2000")
    parser.add_argument("--n-jobs", type=int, default=-1, help="processes, default all processors")
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    args = parser.parse_args()

    texts, y, name = load(args.samples, args.data_home)
    print(f"{name}: {len(texts)} reviews, the first one begins {texts[0][:50]!r}")

    texts, texts_test, y, y_test = train_test_split(texts, y, stratify=y, random_state=0)

    pipeline = make_pipeline(
        SequenceVectorizer(max_features=3000, maxlen=200),
        SimpleRNNClassifier(max_iter=8, random_state=0),  # few epochs, for a short search
    )
    scores = cross_val_score(pipeline, texts, y, cv=3, n_jobs=args.n_jobs)
    print(f"{name}: pipeline as it is: accuracies of three folds {np.round(scores, 3)}")

    search = GridSearchCV(pipeline, GRID, cv=3, n_jobs=args.n_jobs)
    search.fit(texts, y)
    results = search.cv_results_
    for parameters, score in zip(results["params"], results["mean_test_score"], strict=True):
        settings = ", ".join(f"{key.split('__')[1]}={value}" for key, value in parameters.items())
        print(f"{name}: {settings}: mean accuracy {score:.3f}")

    # The best mean is a little optimistic, since it was selected for being the best.
    print(
        f"{name}: the best of them on {len(texts_test)} reviews that the search has not seen: "
        f"accuracy {search.score(texts_test, y_test):.3f}"
    )
    review = "Not bad at first, but in the end it is dull."
    label = "positive" if search.predict([review])[0] else "negative"
    print(f"{name}: {review!r} is predicted to be {label}")


if __name__ == "__main__":
    main()
