"""Reviews as ids: Keras's own file, or texts encoded as Keras does it."""

import hashlib
import io
import json
from array import array
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from crnn.datasets._imdb.sources import KERAS_IDS, check_hash, damaged
from crnn.datasets._imdb.texts import SEED, SPLITS

START, OUT_OF_VOCABULARY, INDEX_FROM = 1, 2, 3  # a word's id is its rank + INDEX_FROM
MOST_KERAS_BYTES = 2**26  # imdb.npz has 17 million
MOST_RANK = 2**31 - 1 - INDEX_FROM  # ids are 32-bit integers
SEPARATORS = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n', " "))


class EncodedReviews(NamedTuple):
    ids: np.ndarray  # int32, review after review
    offsets: np.ndarray  # int64, review i is ids[offsets[i]:offsets[i + 1]]
    target: np.ndarray  # int64


def read_keras(path):
    """Encoded reviews from imdb.npz, in the order of `keras.datasets.imdb.load_data`."""
    with open(path, "rb") as file:  # read once, so that the bytes unpickled are those checked
        content = file.read(MOST_KERAS_BYTES)
    check_hash(path, hashlib.sha256(content).hexdigest(), KERAS_IDS.sha256)
    rng = check_random_state(SEED)
    reviews = {}
    with np.load(io.BytesIO(content), allow_pickle=True) as arrays:
        for split in SPLITS:
            sequences, target = arrays[f"x_{split}"], arrays[f"y_{split}"]
            order = rng.permutation(len(sequences))
            started = ([START, *np.add(sequences[i], INDEX_FROM).tolist()] for i in order)
            reviews[split] = _flatten(started, target[order])
    return reviews


def read_word_index(path):
    """The frequency rank of each word."""
    try:
        index = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise damaged(path, "it is not valid JSON") from error
    if not isinstance(index, dict):
        raise damaged(path, "it is not a JSON object with the rank of each word")
    for word, rank in index.items():
        if type(rank) is not int or not 0 < rank <= MOST_RANK:
            raise damaged(path, f"the rank of {word!r} is not an integer from 1 to {MOST_RANK}")
    return index


def encode(reviews, word_index):
    """Texts to ids by Keras's tokenisation; words that are not in the index are dropped."""
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
