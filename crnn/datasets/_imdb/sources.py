"""Where the reviews come from: files on disk, or a download; none of them is trusted."""

import os
import warnings
from pathlib import Path
from typing import NamedTuple

from sklearn.datasets import fetch_file, get_data_home

DEFAULT_HOME = "~/crnn_data"
KERAS_HOME = "~/.keras/datasets"


class RemoteFile(NamedTuple):
    name: str
    url: str
    sha256: str


KERAS_IDS = RemoteFile(
    "imdb.npz",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz",
    "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
)
WORD_INDEX = RemoteFile(
    "imdb_word_index.json",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb_word_index.json",
    "027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6",
)
ARCHIVE = RemoteFile(
    "aclImdb_v1.tar.gz",
    "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
)


class DamagedFile(OSError):
    """A file does not contain what it should."""


def damaged(path, reason):
    return DamagedFile(
        f"{path} cannot be used: {reason}. Delete it or replace it with a good copy."
    )


def check_hash(path, found, expected):
    if found != expected:
        raise damaged(path, f"its sha256 is {found}, expected {expected}")


def find_keras_file(remote, home):
    candidates = [home / remote.name, Path(KERAS_HOME).expanduser() / remote.name]
    return next(filter(Path.is_file, candidates), None)


def find_stanford(home):
    """An archive, the original one first, or an unpacked folder; None if there is neither."""
    archives = [*home.glob("aclImdb*.tar.gz"), *home.glob("aclImdb*.tar.xz")]
    archives.sort(key=lambda path: (path.name != ARCHIVE.name, path.name))
    folder = home / "aclImdb"
    return next(iter(archives), folder if folder.is_dir() else None)


def download_file(remote, *, sought, home, allowed, n_retries, delay):
    missing = (
        f"IMDB data not found: looked for {sought} in {home}; put the file there, or pass its "
        "folder as data_home or in the environment variable CRNN_DATA"
    )
    if not allowed:
        raise OSError(f"{missing}, or pass download_if_missing=True.")
    if not is_writable(home):
        raise OSError(f"{missing}. It was not downloaded because {home} is not writable.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the error below reports the last attempt
            path = fetch_file(
                remote.url,
                folder=home,
                local_filename=remote.name,
                sha256=remote.sha256,
                n_retries=n_retries,
                delay=delay,
            )
    except OSError as error:
        raise OSError(f"{missing}. The download of {remote.url} failed: {error}") from error
    return Path(path)


def is_writable(folder):
    """Whether files can be written to the folder, which is created if it does not exist.

    A folder marked read-only counts as read-only even if the user has the right to override that.
    """
    try:
        folder = get_data_home(folder)
    except OSError:
        return False
    return bool(os.stat(folder).st_mode & 0o222) and os.access(folder, os.W_OK)
