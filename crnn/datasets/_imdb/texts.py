"""Reviews as text, from a Stanford archive or the folder unpacked from one.

Archives are read as streams, without extracting anything.
"""

import hashlib
import re
import tarfile
import zlib
from lzma import LZMAError

import numpy as np
from sklearn.utils import check_random_state

from crnn.datasets._imdb.sources import ARCHIVE, DamagedFile, check_hash, damaged

SPLITS = ("train", "test")
TARGET_NAMES = ["neg", "pos"]
SEED = 113  # of the order of the reviews, Keras's
CHUNK = 2**20
MOST_BYTES = 2**20  # of a review; the longest has 14,000
MOST_MEMBERS = 2**20  # of an archive; there are 100,000
MEMBER = re.compile(r"aclImdb/(train|test)/(neg|pos)/\d+_\d+\.txt")

# What tarfile and the decompressors raise for damaged archives.
UNREADABLE = (
    tarfile.TarError, EOFError, LZMAError, OSError, ValueError, OverflowError, RecursionError,
    zlib.error,
)  # fmt: skip


def read_texts(source):
    """Texts and targets of each split, in a fixed order that mixes the classes."""
    found = {split: {} for split in SPLITS}
    files = _folder_files(source) if source.is_dir() else _archive_files(source)
    for name, content in files:
        split, label = MEMBER.fullmatch(name).groups()
        try:
            found[split][name] = content.decode("utf-8"), TARGET_NAMES.index(label)
        except UnicodeDecodeError as error:
            raise damaged(source, f"{name} is not encoded in UTF-8") from error
    if not any(found.values()):
        raise damaged(
            source, "it contains no file aclImdb/(train|test)/(neg|pos)/<id>_<rating>.txt"
        )
    reviews = {}
    for split, by_name in found.items():
        names = sorted(by_name)
        order = check_random_state(SEED).permutation(len(names))
        texts = [by_name[names[i]][0] for i in order]
        labels = [by_name[names[i]][1] for i in order]
        reviews[split] = texts, np.array(labels, dtype=np.int64)
    return reviews


def _archive_files(path):
    with open(path, "rb") as file:
        if path.name == ARCHIVE.name:
            check_hash(path, hashlib.file_digest(file, "sha256").hexdigest(), ARCHIVE.sha256)
            file.seek(0)
        try:
            with tarfile.open(fileobj=file) as tar:
                for number, member in enumerate(tar):
                    if number >= MOST_MEMBERS:
                        raise damaged(path, f"it contains more than {MOST_MEMBERS} members")
                    if member.isreg() and MEMBER.fullmatch(member.name):
                        _check_size(path, member.name, member.size, member.issparse())
                        yield member.name, tar.extractfile(member).read()
                while tar.fileobj.read(CHUNK):  # the checksum of the archive is at its very end
                    pass
        except DamagedFile:
            raise
        except UNREADABLE as error:
            raise damaged(path, "it is not a complete .tar.gz or .tar.xz archive") from error


def _folder_files(folder):
    for path in folder.glob("t*/*/*.txt"):
        name = f"aclImdb/{path.relative_to(folder).as_posix()}"
        if MEMBER.fullmatch(name) and path.is_file() and not path.is_symlink():
            _check_size(folder, name, path.stat().st_size)
            yield name, path.read_bytes()


def _check_size(source, name, size, is_sparse=False):
    if is_sparse or size > MOST_BYTES:
        kind = "sparse" if is_sparse else f"larger than {MOST_BYTES} bytes"
        raise damaged(source, f"{name} is {kind}, which no review is")
