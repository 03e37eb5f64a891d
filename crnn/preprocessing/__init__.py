"""Text to sequences of word ids in reading order; series of a size and length to learn from."""

from crnn.preprocessing._hashing import HashingSequenceVectorizer
from crnn.preprocessing._layout import SeriesLayout
from crnn.preprocessing._padding import pad_sequences
from crnn.preprocessing._patches import SeriesPatches
from crnn.preprocessing._scaler import SeriesScaler
from crnn.preprocessing._vectorizer import SequenceVectorizer
from crnn.preprocessing._vectors import embedding_matrix

for _public in (
    HashingSequenceVectorizer,
    SequenceVectorizer,
    SeriesLayout,
    SeriesPatches,
    SeriesScaler,
):
    _public.__module__ = "crnn.preprocessing"

__all__ = [
    "HashingSequenceVectorizer",
    "SequenceVectorizer",
    "SeriesLayout",
    "SeriesPatches",
    "SeriesScaler",
    "embedding_matrix",
    "pad_sequences",
]
