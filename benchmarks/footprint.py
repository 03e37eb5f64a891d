"""What crnn takes besides time: memory of training on IMDB, time of import, installed files.

The memory is what Python and NumPy have allocated at most during ``fit``, beyond what there was
before; the import is that of a fresh process which has imported scikit-learn already.
"""

import argparse
import subprocess
import sys
import tracemalloc
from pathlib import Path
from statistics import median

from machine import BOOK

import crnn
from crnn.datasets import fetch_imdb
from crnn.preprocessing import pad_sequences

IMPORT = """
import time, sklearn
start = time.perf_counter()
import crnn
print(1e3 * (time.perf_counter() - start))
"""


def memory_of_fit(X, y):
    """Peak of the allocated megabytes above those before."""
    options = BOOK | {"vocabulary_size": 10_000, "batch_size": 128, "max_iter": 1}
    clf = crnn.SimpleRNNClassifier(**options, validation_fraction=0.2, n_jobs=2, random_state=0)
    tracemalloc.start()
    clf.fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def milliseconds_of_import():
    output = subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True)
    return float(output.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    args = parser.parse_args()

    reviews, y = fetch_imdb(data_home=args.data_home, num_words=10_000, return_X_y=True)
    X = pad_sequences(reviews, maxlen=500)
    print("memory that fit takes besides the data, with that of the model; 32 units")
    for n in (2500, 5000, 10_000, 25_000):
        data = X[:n].nbytes / 2**20
        print(f"{n:8d} reviews ({data:4.1f} MB): {memory_of_fit(X[:n], y[:n]):5.1f} MB")
    times = [milliseconds_of_import() for _ in range(15)]
    print(f"import crnn after import sklearn: {median(times):.1f} ms")
    for path in Path(crnn.__file__).parent.glob("*.so"):
        print(f"{path.name}: {path.stat().st_size / 2**20:.2f} MB")


if __name__ == "__main__":
    main()
