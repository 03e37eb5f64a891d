"""Images as series: scikit-learn's handwritten digits, read row by row.

Each image of 8 x 8 pixels is a series of 8 timesteps with 8 features. The network reads the rows
from top to bottom and then says which of the ten digits it saw.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draw into files, without a window

from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

from crnn import SimpleRNNClassifier, TrainingHistoryDisplay


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20, help="default 20")
    parser.add_argument(
        "--output-dir", type=Path, default="figures", help="folder for the figure, default figures"
    )
    args = parser.parse_args()

    digits = load_digits()
    X = digits.images / digits.images.max()  # (images, rows, pixels of the row), from 0 to 1
    X_train, X_test, y_train, y_test = train_test_split(
        X, digits.target, stratify=digits.target, random_state=0
    )
    print(f"{len(X_train)} images to train on, {len(X_test)} to test on, each {X.shape[1:]}")

    clf = SimpleRNNClassifier(
        units=64, max_iter=args.epochs, validation_fraction=0.2, random_state=0
    )
    clf.fit(X_train, y_train)
    history = clf.history_
    print(
        f"After {clf.n_iter_} epochs: training accuracy {history['accuracy'][-1]:.4f}, "
        f"validation accuracy {history['val_accuracy'][-1]:.4f}, "
        f"test accuracy {clf.score(X_test, y_test):.4f}"
    )
    print("Confusion matrix of the test images (rows: true digit, columns: predicted digit):")
    print(confusion_matrix(y_test, clf.predict(X_test)))

    args.output_dir.mkdir(parents=True, exist_ok=True)
    path = args.output_dir / "digits_history.png"
    display = TrainingHistoryDisplay.from_estimator(clf, name="SimpleRNN on digits").plot()
    display.figure_.savefig(path)
    print(f"Saved {path}")


if __name__ == "__main__":
    main()
