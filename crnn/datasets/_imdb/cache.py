"""A file with the encoded reviews and a checksum, so that texts are encoded only once."""

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from crnn._system.archive import read_archive, write_archive
from crnn._system.files import write_atomically
from crnn.datasets._imdb.ids import EncodedReviews
from crnn.datasets._imdb.sources import DEFAULT_HOME, damaged, is_writable

CACHE_NAME = "crnn_imdb_ids.npz"


def fallback_cache(source):
    """Path of the cache in the user's own folder, for a source in a read-only folder."""
    parts = [source, *sorted(source.glob("t*/*"))]  # adding files to a folder changes its date
    stats = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in parts]
    key = hashlib.sha256(repr(stats).encode()).hexdigest()[:16]
    return Path(DEFAULT_HOME).expanduser() / f"crnn_imdb_ids_{key}.npz"


def write_cache(path, reviews, source):
    """Write the cache completely or not at all; if it cannot be written, do without."""
    arrays = {"source": np.array(source)}
    for split, part in reviews.items():
        arrays |= {f"{split}_{field}": values for field, values in part._asdict().items()}
    with suppress(OSError):
        if is_writable(path.parent):
            write_atomically(path, lambda file: write_archive(file, arrays))


def read_cache(path, splits):
    """The reviews of these splits, and what they were read from."""
    with open(path, "rb") as file:
        try:
            arrays = read_archive(file)
            names = [[f"{split}_{field}" for field in EncodedReviews._fields] for split in splits]
            reviews = [_checked(EncodedReviews(*map(arrays.get, part))) for part in names]
            source = str(arrays["source"])
        except Exception as error:  # zipfile and NumPy raise many kinds
            plain = isinstance(error, ValueError)  # from read_archive or _checked
            reason = str(error) if plain else "it is not a cache written by fetch_imdb"
            raise damaged(path, reason) from error
    return reviews, source


def _checked(part):
    """The reviews of a cache, if they are valid."""
    wanted = (np.int32, np.int64, np.int64)
    if not all(
        isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype == dtype
        for values, dtype in zip(part, wanted, strict=True)
    ):
        raise ValueError("it does not contain ids, offsets and targets")
    ids, offsets, target = part
    if not (
        len(offsets) == len(target) + 1
        and offsets[0] == 0
        and offsets[-1] == len(ids)
        and (np.diff(offsets) >= 0).all()
        and (ids >= 0).all()
        and np.isin(target, (0, 1)).all()
    ):
        raise ValueError("its ids, offsets and targets are inconsistent")
    return part
