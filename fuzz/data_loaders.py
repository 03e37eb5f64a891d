"""Sources of fetch_imdb: OSError, or reviews."""

import io
import json
import os
import tarfile
import tempfile
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["crnn", "tarfile", "zipfile"]):
    from crnn._system.archive import seal_of, write_archive
    from crnn.datasets import fetch_imdb

from common import run

HOME = Path(tempfile.mkdtemp())
os.environ["HOME"] = str(HOME / "user")
INDEX = json.dumps({"good": 1, "bad": 2, "film": 3}).encode()


def archive():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in ("train/neg/0_1", "train/pos/1_9", "test/neg/0_2", "test/pos/1_10"):
            member = tarfile.TarInfo(f"aclImdb/{name}.txt")
            member.size = 9
            tar.addfile(member, io.BytesIO(b"good film"))
    return file.getvalue()


def cache():
    part = {"ids": np.array([1, 4], np.int32), "offsets": np.array([0, 2]), "target": np.array([1])}
    arrays = {f"{split}_{k}": v for split in ("train", "test") for k, v in part.items()}
    file = io.BytesIO()
    write_archive(file, {"source": np.array("a seed"), **arrays})
    return file.getvalue()


CACHE = cache()
KINDS = {b"c": "crnn_imdb_ids.npz", b"t": "aclImdb_x.tar.gz", b"i": "imdb_word_index.json",
         b"k": "imdb.npz", b"r": "crnn_imdb_ids.npz"}  # fmt: skip


def target(data):
    kind, data = data[:1], data[1:]
    if kind not in KINDS:
        return
    for name in KINDS.values():
        (HOME / name).unlink(missing_ok=True)
    files = {} if kind in b"crk" else {"aclImdb_x.tar.gz": archive(), "imdb_word_index.json": INDEX}
    if kind == b"r":  # a cache with a valid checksum
        data += seal_of(io.BytesIO(data), len(data))
    for name, content in (files | {KINDS[kind]: data}).items():
        (HOME / name).write_bytes(content)
    try:
        fetch_imdb(data_home=HOME, subset="all", num_words=5, maxlen=9, download_if_missing=False)
    except OSError:
        pass


if __name__ == "__main__":
    seeds = [b"c" + CACHE, b"r" + CACHE[:-71], b"t" + archive(), b"i" + INDEX, b"k" + CACHE]
    run(target, seeds)
