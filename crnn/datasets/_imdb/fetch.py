"""`fetch_imdb`: reviews from the first source found, as ids or as text."""

import os
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from crnn._constraints import SIZE, Interval
from crnn._system.sklearn_private import StrOptions
from crnn._typing import checked
from crnn.datasets._imdb.cache import CACHE_NAME, fallback_cache, read_cache, write_cache
from crnn.datasets._imdb.ids import (
    INDEX_FROM,
    OUT_OF_VOCABULARY,
    encode,
    read_keras,
    read_word_index,
)
from crnn.datasets._imdb.sources import (
    ARCHIVE,
    DEFAULT_HOME,
    KERAS_IDS,
    WORD_INDEX,
    download_file,
    find_keras_file,
    find_stanford,
    is_writable,
)
from crnn.datasets._imdb.texts import SPLITS, TARGET_NAMES, read_texts
from crnn.datasets._imdb.types import Ids, Options, Reviews

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
    maxlen=[*SIZE, None],
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

    Word ids are looked up in this order: the cache `crnn_imdb_ids.npz` in `data_home`, written
    there by an earlier call; Keras's `imdb.npz` in `data_home` or `~/.keras/datasets`; an
    archive `aclImdb*.tar.gz` or `aclImdb*.tar.xz` or an unpacked folder `aclImdb` in
    `data_home`, with `imdb_word_index.json` in `data_home` or `~/.keras/datasets`; a download.
    The cache is not updated when another source appears: delete it to have it rebuilt. If
    `data_home` is read-only, the cache is written to `~/crnn_data`, under a name derived from path,
    size and date of its source; if that is read-only too, there is no cache.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the data. None means the environment variable `CRNN_DATA` or, if that is not
        set, `~/crnn_data`.
    subset : {"train", "test", "all"}, default="train"
        Which reviews to load; "all" gives the training part followed by the test part.
    num_words : int, default=None
        Bound of the ids: words with an id of `num_words` or more become 2, out of vocabulary.
        None keeps all words.
    maxlen : int, default=None
        Number of ids kept of longer reviews, the last ones. None keeps all.
    download_if_missing : bool, default=True
        Whether to download missing data. If False, an OSError is raised instead.
    return_X_y : bool, default=False
        Return `(data, target)` instead of a Bunch.
    raw : bool, default=False
        Return the texts instead of word ids. They are in the same order as ids made from the
        same archive, but not in that of Keras's `imdb.npz`.
    n_retries : int, default=3
        How often to retry a failed download.
    delay : float, default=1.0
        Seconds between retries.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        data : list of ndarray of int32, or list of str
            One array of word ids per review, or its text if `raw=True`. The order is fixed and
            mixes the classes: that of Keras for `imdb.npz`; for archives that of the file names,
            shuffled with a fixed seed.
        target : ndarray of shape (n_samples,)
            0 for negative and 1 for positive reviews.
        target_names : list of str
            Names of the classes, `["neg", "pos"]`.
        word_index : dict or None
            Keras's word index, the frequency rank of each word from 1 on; a word's id is its
            rank + 3. None if `imdb_word_index.json` was not found.
        DESCR : str
            Description of the data, with their source and its number of reviews.

    (data, target) : tuple if `return_X_y=True`
        The first two of the above.

    Raises
    ------
    OSError
        If the data are neither found nor downloaded, or if a file is damaged.
    ValueError
        If `num_words` or `maxlen` is combined with `raw=True`.

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
            "if raw=True."
        )
    home = Path(data_home or os.environ.get("CRNN_DATA") or DEFAULT_HOME).expanduser()
    download = partial(
        download_file, home=home, allowed=download_if_missing, n_retries=n_retries, delay=delay
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
    index = find_keras_file(WORD_INDEX, home)
    return Reviews(
        data=data,
        target=target,
        target_names=list(TARGET_NAMES),
        word_index=index and read_word_index(index),
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


def _load_ids(home, splits, download):
    """The encoded reviews of each split, and a description of their source."""
    cache = home / CACHE_NAME
    if cache.exists():
        return read_cache(cache, splits)
    source = find_keras_file(KERAS_IDS, home) or find_stanford(home)
    if source is None:
        source = download(KERAS_IDS, sought=f"{CACHE_NAME}, imdb.npz, aclImdb*.tar.gz or .tar.xz")
        download(WORD_INDEX, sought=WORD_INDEX.name)
    if not is_writable(home):
        cache = fallback_cache(source)
        if cache.exists():
            return read_cache(cache, splits)
    if source.name == KERAS_IDS.name:
        reviews = read_keras(source)
    else:
        index = find_keras_file(WORD_INDEX, home) or download(WORD_INDEX, sought=WORD_INDEX.name)
        reviews = encode(read_texts(source), read_word_index(index))
    source = _describe(source, [reviews[split].target for split in SPLITS])
    write_cache(cache, reviews, source)
    return [reviews[split] for split in splits], source


def _load_texts(home, splits, download):
    source = find_stanford(home) or download(ARCHIVE, sought="aclImdb*.tar.gz or .tar.xz")
    reviews = read_texts(source)
    texts = [text for split in splits for text in reviews[split][0]]
    target = np.concatenate([reviews[split][1] for split in splits])
    return texts, target, _describe(source, [reviews[split][1] for split in SPLITS])


def _describe(source, targets):
    n_train, n_test = map(len, targets)
    return f"{source.name}, with {n_train} training and {n_test} test reviews"
