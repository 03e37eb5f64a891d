"""Pretrained word vectors in the order of a vocabulary."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from crnn._constraints import RANDOM_STATE
from crnn._system.sklearn_private import HasMethods
from crnn._typing import Floats, RandomState, checked
from crnn.preprocessing._documents import PAD

LIMIT = 0.05  # of the numbers of words without a vector, as of an embedding that is drawn


@checked(
    vectorizer=[HasMethods(["transform"])],
    vectors="no_validation",
    random_state=RANDOM_STATE,
)
def embedding_matrix(vectorizer: Any, vectors: Any, *, random_state: RandomState = None) -> Floats:
    """Find the pretrained vector of each word of a vectorizer.

    Parameters
    ----------
    vectorizer : SequenceVectorizer
        A fitted vectorizer, whose vocabulary says which word has which id.
    vectors : mapping of str to array-like, or gensim.models.KeyedVectors
        The vector of each word; all have the same length. Anything with ``key_to_index`` and
        ``vectors`` is read as a table of gensim.
    random_state : int, RandomState instance or None, default=None
        Determines the vectors of words that have none in ``vectors``, and of the ids 1 (start) and
        2 (unknown word): numbers between -0.05 and 0.05, as in an embedding that is not pretrained.
        The vector of 0 (padding) is zero.

    Returns
    -------
    matrix : ndarray of shape (V, E), float32
        A row for each id, for the parameter ``embedding_init`` of a network.

    Raises
    ------
    ValueError
        If the vectorizer has no vocabulary, if none of its words has a vector, or if vectors are
        not finite numbers or differ in length.
    NotFittedError
        If the vectorizer is not fitted.

    Examples
    --------
    >>> from crnn import SimpleRNNClassifier
    >>> from crnn.preprocessing import SequenceVectorizer, embedding_matrix
    >>> vectorizer = SequenceVectorizer(maxlen=4).fit(["a good film", "a bad film"])
    >>> matrix = embedding_matrix(vectorizer, {"good": [1, 0], "bad": [-1, 0], "film": [0, 1]})
    >>> matrix.shape
    (7, 2)
    >>> clf = SimpleRNNClassifier(embedding_init=matrix, embedding_trainable=False)
    """
    if not hasattr(vectorizer, "_fitted_vocabulary"):
        raise ValueError(
            f"{type(vectorizer).__name__} has no vocabulary, so its ids are not those of single "
            "words; pass a fitted SequenceVectorizer."
        )
    vocabulary = vectorizer._fitted_vocabulary()
    known = {word: row for word in vocabulary if (row := _vector_of(word, vectors)) is not None}
    if not known:
        raise ValueError(
            f"None of the {len(vocabulary)} words of the vectorizer, such as "
            f"{next(iter(vocabulary))!r}, has a vector. Do both have the same case and accents?"
        )
    n_rows, width = max(vocabulary.values()) + 1, len(next(iter(known.values())))
    matrix = check_random_state(random_state).uniform(-LIMIT, LIMIT, (n_rows, width))
    matrix[PAD] = 0
    for word, row in known.items():
        if row.shape != (width,) or not np.isfinite(row).all():
            raise ValueError(
                f"The vector of {word!r} has shape {row.shape} and must be {width} finite numbers, "
                f"as that of {next(iter(known))!r} is."
            )
        matrix[vocabulary[word]] = row
    return matrix.astype(np.float32)


def _vector_of(word, vectors):
    if hasattr(vectors, "key_to_index"):
        place = vectors.key_to_index.get(word)
        row = None if place is None else vectors.vectors[place]
    elif isinstance(vectors, Mapping):
        row = vectors.get(word)
    else:
        raise ValueError(
            f"vectors={type(vectors).__name__} must be a mapping from words to vectors, or have "
            "key_to_index and vectors, as gensim's KeyedVectors."
        )
    return None if row is None else np.atleast_1d(np.asarray(row, float))
