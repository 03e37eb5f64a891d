"""From raw text to sequences of word ids, in reading order."""

from crnn.preprocessing._hashing import HashingSequenceVectorizer
from crnn.preprocessing._padding import pad_sequences
from crnn.preprocessing._vectorizer import SequenceVectorizer
from crnn.preprocessing._vectors import embedding_matrix

for _public in (HashingSequenceVectorizer, SequenceVectorizer):
    _public.__module__ = "crnn.preprocessing"

__all__ = ["HashingSequenceVectorizer", "SequenceVectorizer", "embedding_matrix", "pad_sequences"]
