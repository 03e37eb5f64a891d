"""The IMDB reviews, as Keras's word ids or as text, from whichever source is at hand.

The sources, in the order in which they are tried: our own cache, Keras's imdb.npz, a Stanford
archive or the folder unpacked from one, a download. None of them is trusted: Keras's file is
checked against a known hash before it is unpickled, the cache holds a checksum and is checked part
by part, and archives are read as streams, without extracting anything.
"""

import hashlib
import io
import json
import os
import re
import tarfile
import warnings
import zlib
from array import array
from contextlib import suppress
from functools import partial
from itertools import accumulate
from lzma import LZMAError
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, NamedTuple, Unpack, overload

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import fetch_file, get_data_home
from sklearn.utils import check_random_state

from crnn._constraints import Interval
from crnn._system.archive import read_archive, write_archive
from crnn._system.files import write_atomically
from crnn._system.sklearn_private import StrOptions
from crnn._typing import checked
from crnn.datasets._types import Ids, Options, Reviews

START, OUT_OF_VOCABULARY, INDEX_FROM = 1, 2, 3  # a word's id is its rank + INDEX_FROM
SEED = 113  # of the order of the reviews, Keras's
SPLITS = ("train", "test")
TARGET_NAMES = ["neg", "pos"]
CHUNK = 2**20
MOST_BYTES = 2**20  # of a review; the longest has 14,000
MOST_KERAS_BYTES = 2**26  # imdb.npz has 17 million
MOST_REVIEWS = 2**20  # of a source; there are 50,000
MOST_RANK = 2**31 - 1 - INDEX_FROM  # ids are 32-bit integers
CACHE_NAME = "crnn_imdb_ids.npz"
DEFAULT_HOME = "~/crnn_data"
KERAS_HOME = "~/.keras/datasets"
MEMBER = re.compile(r"aclImdb/(train|test)/(neg|pos)/\d+_\d+\.txt")
SEPARATORS = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n', " "))


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

DESCR = """\
IMDB film reviews
-----------------

Reviews of films with a clear opinion, at most 30 of each film, collected by Maas et al. (2011)
and split into a training and a test part of 25,000 each. Half of the reviews are negative
(at most 4 of 10 points, target 0), half positive (at least 7 points, target 1).

Word ids are Keras's: 0 is padding, 1 the start of a review, 2 a word out of the vocabulary;
the id of any other word is 3 plus its frequency rank in `word_index`.

Read from: {source}.

A. L. Maas, R. E. Daly, P. T. Pham, D. Huang, A. Y. Ng, C. Potts: Learning Word Vectors for
Sentiment Analysis. ACL 2011, pages 142-150. https://ai.stanford.edu/~amaas/data/sentiment/
"""


class EncodedReviews(NamedTuple):
    ids: np.ndarray  # int32, review after review
    offsets: np.ndarray  # int64, review i is ids[offsets[i]:offsets[i + 1]]
    target: np.ndarray  # int64


@overload
def fetch_imdb(
    *, raw: Literal[False] = False, return_X_y: Literal[False] = False, **options: Unpack[Options]
) -> Reviews[Ids]: ...
@overload
def fetch_imdb(
    *, raw: Literal[True], return_X_y: Literal[False] = False, **options: Unpack[Options]
) -> Reviews[str]: ...
@overload
def fetch_imdb(
    *, raw: Literal[False] = False, return_X_y: Literal[True], **options: Unpack[Options]
) -> tuple[list[Ids], NDArray[np.int64]]: ...
@overload
def fetch_imdb(
    *, raw: Literal[True], return_X_y: Literal[True], **options: Unpack[Options]
) -> tuple[list[str], NDArray[np.int64]]: ...
@overload
def fetch_imdb(*, raw: bool = ..., return_X_y: bool = ..., **options: Unpack[Options]) -> Any: ...
@checked(
    data_home=[str, os.PathLike, None],
    subset=[StrOptions({"train", "test", "all"})],
    num_words=[Interval(Integral, INDEX_FROM, None, closed="left"), None],
    maxlen=[Interval(Integral, 1, None, closed="left"), None],
    download_if_missing=["boolean"],
    return_X_y=["boolean"],
    raw=["boolean"],
    n_retries=[Interval(Integral, 0, None, closed="left")],
    delay=[Interval(Real, 0, None, closed="left")],
)
def fetch_imdb(
    *,
    data_home: str | os.PathLike[str] | None = None,
    subset: Literal["train", "test", "all"] = "train",
    num_words: int | None = None,
    maxlen: int | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    raw: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Any:
    """Load the IMDB film reviews, labelled negative (0) and positive (1).

    Word ids are searched for in this order: the cache `crnn_imdb_ids.npz` in `data_home`, written
    there by an earlier call; Keras's `imdb.npz` in `data_home` or `~/.keras/datasets`; an
    archive `aclImdb*.tar.gz` or `aclImdb*.tar.xz` or an unpacked folder `aclImdb` in
    `data_home`, with `imdb_word_index.json` in `data_home` or `~/.keras/datasets`; a download.
    The cache is not renewed when another source appears: delete it for that. Where `data_home`
    is read-only the cache goes to `~/crnn_data`, under a name made from path, size and date of
    its source; where that is read-only too there is none.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the data. None stands for that in the environment variable `CRNN_DATA`, and
        where this is not set for `~/crnn_data`.
    subset : {"train", "test", "all"}, default="train"
        Which reviews to load; "all" gives the training part followed by the test part.
    num_words : int, default=None
        Bound of the ids: words whose id is not less become 2, out of vocabulary. None keeps
        all words.
    maxlen : int, default=None
        Number of ids to keep of longer reviews, the last ones. None keeps all.
    download_if_missing : bool, default=True
        Whether to download what is not found. If False an OSError is raised.
    return_X_y : bool, default=False
        Give `(data, target)` instead of a Bunch.
    raw : bool, default=False
        Give the texts instead of word ids. They are in the same order as ids made from the
        same archive, but not as those of Keras's `imdb.npz`.
    n_retries : int, default=3
        How often a failed download is tried again.
    delay : float, default=1.0
        Seconds between these trials.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        data : list of ndarray of int32, or list of str
            One array of word ids per review, or its text if `raw=True`. The order is fixed and
            mixes the classes: Keras's own for `imdb.npz`; for archives that of the file names,
            permuted by a generator with a fixed seed.
        target : ndarray of shape (n_samples,)
            0 for negative and 1 for positive reviews.
        target_names : list of str
            The names of the classes, `["neg", "pos"]`.
        word_index : dict or None
            Keras's word index, the frequency rank of each word from 1 on; a word's id is its
            rank + 3. None if `imdb_word_index.json` is not at hand.
        DESCR : str
            Description of the data, their source and the number of reviews in it.

    (data, target) : tuple if `return_X_y=True`
        The first two of these.

    Raises
    ------
    OSError
        If the data are not found and not downloaded, or if a file is damaged.
    ValueError
        If `num_words` or `maxlen` are given together with `raw=True`.

    References
    ----------
    .. [1] A. L. Maas, R. E. Daly, P. T. Pham, D. Huang, A. Y. Ng, C. Potts: `Learning Word
       Vectors for Sentiment Analysis <https://aclanthology.org/P11-1015/>`_. ACL 2011.

    Examples
    --------
    >>> from crnn.datasets import fetch_imdb
    >>> imdb = fetch_imdb(num_words=10000, maxlen=500)  # doctest: +SKIP
    >>> len(imdb.data), imdb.target.mean()  # doctest: +SKIP
    (25000, 0.5)
    """
    if raw and (num_words is not None or maxlen is not None):
        raise ValueError(
            f"num_words={num_words!r} and maxlen={maxlen!r} apply to word ids; leave them None "
            "with raw=True."
        )
    home = Path(data_home or os.environ.get("CRNN_DATA") or DEFAULT_HOME).expanduser()
    download = partial(
        _download, home=home, allowed=download_if_missing, n_retries=n_retries, delay=delay
    )
    splits = SPLITS if subset == "all" else (subset,)
    if raw:
        data, target, source = _load_texts(home, splits, download)
    else:
        reviews, source = _load_ids(home, splits, download)
        data = [ids for part in reviews for ids in _to_list(part, num_words, maxlen)]
        target = np.concatenate([part.target for part in reviews])
    if not data:
        raise OSError(f"There are no {subset} reviews in {source}; use a complete copy.")
    if return_X_y:
        return data, target
    index = _find_keras_file(WORD_INDEX, home)
    return Reviews(
        data=data,
        target=target,
        target_names=list(TARGET_NAMES),
        word_index=index and _read_word_index(index),
        DESCR=DESCR.format(source=source),
    )


def _to_list(part, num_words, maxlen):
    ids, offsets = part.ids, part.offsets
    if num_words is not None:
        ids = np.where(ids < num_words, ids, np.int32(OUT_OF_VOCABULARY))
    starts, ends = offsets[:-1], offsets[1:]
    if maxlen is not None:
        starts = np.maximum(starts, ends - maxlen)
    return [ids[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


# --- finding the data ---


def _load_ids(home, splits, download):
    """The encoded reviews of each of the splits, and what they were read from."""
    cache = home / CACHE_NAME
    if cache.exists():
        return _read_cache(cache, splits)
    source = _find_keras_file(KERAS_IDS, home) or _find_stanford(home)
    if source is None:
        source = download(KERAS_IDS, sought=f"{CACHE_NAME}, imdb.npz, aclImdb*.tar.gz or .tar.xz")
        download(WORD_INDEX, sought=WORD_INDEX.name)
    if not _is_writable(home):
        cache = _fallback_cache(source)
        if cache.exists():
            return _read_cache(cache, splits)
    if source.name == KERAS_IDS.name:
        reviews = _read_keras(source)
    else:
        index = _find_keras_file(WORD_INDEX, home) or download(WORD_INDEX, sought=WORD_INDEX.name)
        reviews = _encode(_read_stanford(source), _read_word_index(index))
    source = _describe(source, [reviews[split].target for split in SPLITS])
    _write_cache(cache, reviews, source)
    return [reviews[split] for split in splits], source


def _load_texts(home, splits, download):
    source = _find_stanford(home) or download(ARCHIVE, sought="aclImdb*.tar.gz or .tar.xz")
    reviews = _read_stanford(source)
    texts = [text for split in splits for text in reviews[split][0]]
    target = np.concatenate([reviews[split][1] for split in splits])
    return texts, target, _describe(source, [reviews[split][1] for split in SPLITS])


def _describe(source, targets):
    n_train, n_test = map(len, targets)
    return f"{source.name}, with {n_train} training and {n_test} test reviews"


def _find_keras_file(remote, home):
    candidates = [home / remote.name, Path(KERAS_HOME).expanduser() / remote.name]
    return next(filter(Path.is_file, candidates), None)


def _find_stanford(home):
    """An archive, the original one first, or an unpacked folder; None if there is neither."""
    archives = [*home.glob("aclImdb*.tar.gz"), *home.glob("aclImdb*.tar.xz")]
    archives.sort(key=lambda path: (path.name != ARCHIVE.name, path.name))
    folder = home / "aclImdb"
    return next(iter(archives), folder if folder.is_dir() else None)


def _download(remote, *, sought, home, allowed, n_retries, delay):
    missing = (
        f"IMDB data not found: looked for {sought} in {home}; put the file there, or pass its "
        "folder as data_home or in the environment variable CRNN_DATA"
    )
    if not allowed:
        raise OSError(f"{missing}, or pass download_if_missing=True.")
    if not _is_writable(home):
        raise OSError(f"{missing}. It was not downloaded because {home} is not writable.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of each trial: the last failure says it all
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


def _is_writable(folder):
    """Whether files may be put into the folder, which is made if need be.

    A folder marked read-only stays untouched even where the user could override the mark.
    """
    try:
        folder = get_data_home(folder)
    except OSError:
        return False
    return bool(os.stat(folder).st_mode & 0o222) and os.access(folder, os.W_OK)


# --- reading the sources ---


def _damaged(path, why):
    return OSError(f"{path} cannot be used: {why}. Delete it or replace it with a good copy.")


def _check_hash(path, found, expected):
    if found != expected:
        raise _damaged(path, f"its sha256 is {found}, expected {expected}")


def _read_keras(path):
    """Encoded reviews from imdb.npz, in the order of `keras.datasets.imdb.load_data`."""
    with open(path, "rb") as file:  # read once, so that what is unpickled is what was checked
        content = file.read(MOST_KERAS_BYTES)
    _check_hash(path, hashlib.sha256(content).hexdigest(), KERAS_IDS.sha256)
    rng = check_random_state(SEED)
    reviews = {}
    with np.load(io.BytesIO(content), allow_pickle=True) as arrays:
        for split in SPLITS:
            sequences, target = arrays[f"x_{split}"], arrays[f"y_{split}"]
            order = rng.permutation(len(sequences))
            started = ([START, *np.add(sequences[i], INDEX_FROM).tolist()] for i in order)
            reviews[split] = _flatten(started, target[order])
    return reviews


def _read_stanford(source):
    """Texts and targets of each split, in a fixed order that mixes the classes."""
    found = {split: {} for split in SPLITS}
    files = _folder_files(source) if source.is_dir() else _archive_files(source)
    for name, content in files:
        split, label = MEMBER.fullmatch(name).groups()
        try:
            found[split][name] = content.decode("utf-8"), TARGET_NAMES.index(label)
        except UnicodeDecodeError as error:
            raise _damaged(source, f"{name} is not UTF-8: {error}") from error
    if not any(found.values()):
        raise _damaged(
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


# What reading an archive raises where it is not as it should be.
UNREADABLE = (
    tarfile.TarError, EOFError, LZMAError, OSError, ValueError, OverflowError, RecursionError,
    zlib.error,
)  # fmt: skip


def _archive_files(path):
    if path.name == ARCHIVE.name:
        with open(path, "rb") as file:
            _check_hash(path, hashlib.file_digest(file, "sha256").hexdigest(), ARCHIVE.sha256)
    try:
        with tarfile.open(path) as tar:
            for number, member in enumerate(tar):
                if member.isreg() and MEMBER.fullmatch(member.name):
                    if member.issparse() or member.size > MOST_BYTES or number > MOST_REVIEWS:
                        raise ValueError(
                            f"{member.name} is sparse or larger than {MOST_BYTES} bytes, or the "
                            f"archive has more than {MOST_REVIEWS} members"
                        )
                    yield member.name, tar.extractfile(member).read()
            while tar.fileobj.read(CHUNK):  # the checksum of the archive is at its very end
                pass
    except UNREADABLE as error:
        raise _damaged(path, repr(error)) from error


def _folder_files(folder):
    for path in folder.glob("t*/*/*.txt"):
        name = f"aclImdb/{path.relative_to(folder).as_posix()}"
        if MEMBER.fullmatch(name) and path.is_file() and not path.is_symlink():
            if path.stat().st_size > MOST_BYTES:
                raise _damaged(folder, f"{name} is larger than {MOST_BYTES} bytes")
            yield name, path.read_bytes()


def _read_word_index(path):
    try:
        index = json.loads(path.read_bytes())
        if not all(type(rank) is int and 0 < rank <= MOST_RANK for rank in index.values()):
            raise ValueError(f"a rank is not an integer from 1 to {MOST_RANK}")
    except (ValueError, AttributeError, RecursionError) as error:  # no JSON, or no JSON object
        raise _damaged(path, repr(error)) from error
    return index


def _encode(reviews, word_index):
    """Texts to ids by Keras's tokenisation; words that are not in the index are left out."""
    id_of = {word: rank + INDEX_FROM for word, rank in word_index.items()}.get
    encoded = {}
    for split, (texts, target) in reviews.items():
        sequences = ([START, *filter(None, map(id_of, _words(text)))] for text in texts)
        encoded[split] = _flatten(sequences, target)
    return encoded


def _words(text):
    return text.lower().translate(SEPARATORS).split(" ")


def _flatten(sequences, target):
    ids, lengths = array("i"), []
    for sequence in sequences:
        ids.extend(sequence)
        lengths.append(len(sequence))
    offsets = np.array([0, *accumulate(lengths)], dtype=np.int64)
    return EncodedReviews(np.array(ids, dtype=np.int32), offsets, target.astype(np.int64))


# --- the cache ---


def _fallback_cache(source):
    """Path of the cache in the user's own folder, for a source in a read-only one."""
    parts = [source, *sorted(source.glob("t*/*"))]  # files added to a folder change its date
    stats = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in parts]
    key = hashlib.sha256(repr(stats).encode()).hexdigest()[:16]
    return Path(DEFAULT_HOME).expanduser() / f"crnn_imdb_ids_{key}.npz"


def _write_cache(path, reviews, source):
    """Write the cache whole or not at all; that it cannot be written is no error."""
    arrays = {"source": np.array(source)}
    for split, part in reviews.items():
        arrays |= {f"{split}_{field}": values for field, values in part._asdict().items()}
    with suppress(OSError):
        if _is_writable(path.parent):
            write_atomically(path, lambda file: write_archive(file, arrays))


def _read_cache(path, splits):
    try:
        with open(path, "rb") as file:
            arrays = read_archive(file)
        names = [[f"{split}_{field}" for field in EncodedReviews._fields] for split in splits]
        reviews = [_checked(EncodedReviews(*map(arrays.get, part))) for part in names]
        source = str(arrays["source"])
    except Exception as error:  # zipfile and NumPy have one for each kind of damage
        raise _damaged(path, repr(error)) from error
    return reviews, source


def _checked(part):
    """Reviews of a cache, if they are what one is made of."""
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
