"""Texts to ids: the kernels beside their twins, the vectorizers beside scikit-learn's."""

import inspect
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.feature_extraction.text import CountVectorizer

from crnn import _reference, _text
from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer, pad_sequences

KERNELS = [
    name
    for name, value in vars(_text).items()
    if callable(value) and value.__module__ == "crnn._text" and name[0] != "_"
]
SPACES = "".join(filter(str.isspace, map(chr, range(sys.maxunicode + 1))))
# One character that becomes two, others that become shorter in UTF-8, sigmas, halves of a pair.
ODD = (
    "\u0130\u0131\xdf\u1e9e\u03a3\u03c3\u03c2\u01c5\ufb01\xb5\xc0\xff\u0178\u212a\u212b\0\x7f'\u2019"
    "\ufeff\u200b\u0301\u0345\ud83d\ude00\U0001f600\U00010400"
)
LETTERS = st.one_of(
    st.sampled_from("abcABZ09"),
    st.sampled_from(ODD),
    st.sampled_from(SPACES),
    st.sampled_from(_text.PUNCTUATION),
    st.characters(),
)
# Not st.text, which would draw from all characters of the union alike.
TEXTS = st.lists(st.lists(LETTERS).map("".join), max_size=6)
VOCABULARY = {"a": 3, "i\u0307": 9, "\xdf": 4, "\u03c3": 7, "\ud83d": 5, "00": 6}


def both(name, documents, lowercase=True, **arguments):
    """What kernel and twin read, and what they have learned."""
    readers = [getattr(module, name)(**arguments) for module in (_text, _reference)]
    read = [reader.read(documents, lowercase) for reader in readers]
    for got, wanted in zip(*read, strict=True):
        assert got.dtype == wanted.dtype
        assert_array_equal(got, wanted)
    if name == "LearningReader":
        assert readers[0].learned() == readers[1].learned()
    return readers, read[0]


def test_every_kernel_has_a_twin():
    assert {"HashingReader", "LearningReader", "VocabularyReader", "pad"} <= set(KERNELS)
    for name in KERNELS:
        kernel, twin = getattr(_text, name), getattr(_reference, name)
        if isinstance(kernel, type):
            kernel, twin = kernel.read, twin.read
        assert list(inspect.signature(twin).parameters) == list(
            inspect.signature(kernel).parameters
        )


@settings(deadline=None)
@given(TEXTS, st.booleans())
def test_readers(documents, lowercase):
    both("LearningReader", documents, lowercase)
    both("HashingReader", documents, lowercase, n_features=50)
    both("VocabularyReader", documents, lowercase, vocabulary=VOCABULARY)


@pytest.mark.parametrize("lowercase", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_every_character(lowercase):
    """At the end of a word, in front of one, and alone with a Latin letter."""
    step = 2**14
    for start in range(0, sys.maxunicode + 1, step):
        letters = map(chr, range(start, start + step))
        both("LearningReader", ["".join(f"\nx{c}\n{c}A{c}" for c in letters)], lowercase)


def test_words_of_every_length_at_every_place():
    words = ["x" * n + "é" * (n % 3 == 0) for n in range(1, 70)]
    both("LearningReader", [" " * n + " ".join(words) for n in range(66)])
    both("HashingReader", [" " * n + " ".join(words) for n in range(66)], n_features=2**31)
    both("HashingReader", ["y" * n for n in range(130)], n_features=2**20)


def test_a_reader_goes_on_where_it_stopped():
    readers, _ = both("LearningReader", ["b a"])
    for documents in (["c b"], [], ["", "A C d"]):
        got, wanted = (reader.read(documents, True) for reader in readers)
        for x, y in zip(got, wanted, strict=True):
            assert_array_equal(x, y)
    assert readers[0].learned() == list("bacd")


def test_large_texts():
    long = "ab" * 10**6
    both("LearningReader", [long, long + "a", long + " b", "İ" + long])
    numbers = " ".join(map(str, range(200_000)))
    both("LearningReader", [numbers, numbers[::-1]])


def test_more_unknown_words_than_are_kept():
    ids, _ = _text.VocabularyReader({"w5": 3, "last": 4}).read(
        [" ".join(f"w{i}" for i in range(2**20 + 9)) + " last w5 w1048580"], True
    )
    assert_array_equal(np.flatnonzero(ids != 2), [0, 6, 2**20 + 10, 2**20 + 11])
    assert ids[[6, -3, -2, -1]].tolist() == [3, 4, 3, 2]


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=5), st.integers(1, 6), st.booleans(), st.booleans())
def test_pad(lengths, width, pad_first, cut_first):
    ends = np.cumsum(lengths, dtype=np.int64)
    items = np.arange(1, sum(lengths) + 1, dtype=np.uint8)
    got, wanted = np.full((2, len(lengths), width), 99, np.uint8)
    _text.pad(items, ends, pad_first, cut_first, got)
    _reference.pad(items, ends, pad_first, cut_first, wanted)
    assert_array_equal(got, wanted)
    sides = {True: "pre", False: "post"}
    rows = np.split(items, ends[:-1]) if lengths else []
    assert_array_equal(
        got, pad_sequences(rows, width, padding=sides[pad_first], truncating=sides[cut_first])
    )


@pytest.mark.parametrize("ends", [[3, 2], [-1, 2], [2, 5], [2], [2**62, 2**62]])
def test_pad_reads_nothing_beyond_its_arrays(ends):
    with pytest.raises(ValueError, match=r"ends must|do not fit"):
        _text.pad(np.ones(4, np.uint8), np.array(ends), True, True, np.ones((2, 3), np.uint8))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: _text.HashingReader(3), ValueError),
        (lambda: _text.HashingReader(2**31 + 1), ValueError),
        (lambda: _text.VocabularyReader(None), TypeError),
        (lambda: _text.VocabularyReader({"a": 2**31}).read(["a"], True), ValueError),
        (lambda: _text.LearningReader().read(["a", None], True), TypeError),
        (lambda: _text.LearningReader().read([b"a"], True), TypeError),
        (lambda: _text.HashingReader.__new__(_text.HashingReader), TypeError),
        (lambda: _text.LearningReader().__reduce_ex__(2), TypeError),
    ],
)
def test_bad_use_of_readers(make, error):
    with pytest.raises(error):
        make()


PATTERN = SequenceVectorizer().token_pattern
MANY = ["The cat, the DOG", "", "ÉTÉ İstanbul ΟΔΟΣ x\u3000y", "isn't the end\x85ß"] * 70


def slow(vectorizer):
    """The same settings, with an analyzer of scikit-learn's own, which no kernel knows."""
    analyzer = CountVectorizer(lowercase=vectorizer.lowercase, token_pattern=PATTERN)
    parameters = vectorizer.get_params() | {"analyzer": analyzer.build_analyzer()}
    return type(vectorizer)(**parameters | {"token_pattern": None, "lowercase": True})


def assert_same(got, wanted):
    assert len(got) == len(wanted)
    for x, y in zip(got, wanted, strict=True):
        assert x.dtype == y.dtype
        assert_array_equal(x, y)


@pytest.mark.parametrize("make", [list, tuple, iter, pd.Series, np.array])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"maxlen": None, "lowercase": False},
        {"maxlen": 3, "padding": "post", "truncating": "post", "dtype": np.int64},
        {"maxlen": 4, "dtype": ">u2", "truncating": "post"},
        {"maxlen": None, "dtype": np.uint8},
    ],
)
def test_vectorizers_agree_with_the_analyzer(make, options):
    hashing = HashingSequenceVectorizer(200, **options)
    assert_same(hashing.transform(make(MANY)), slow(hashing).transform(MANY))
    for more in ({}, {"max_features": 6}, {"min_df": 71, "max_features": 5}, {"max_df": 0.5}):
        own = SequenceVectorizer(**options | more)
        other = slow(own)
        ids = own.fit_transform(make(MANY))
        assert_same(ids, other.fit_transform(MANY))
        assert list(own.vocabulary_.items()) == list(other.vocabulary_.items())
        assert_same(own.transform(make(MANY)), ids)
        assert_same(own.transform(["New DOG\tx!"]), other.transform(["New DOG\tx!"]))


def test_bytes_among_texts():
    mixed = [text.encode() if i % 3 else text for i, text in enumerate(MANY[:200])]
    for vectorizer in (SequenceVectorizer(maxlen=5), HashingSequenceVectorizer(maxlen=5)):
        assert_array_equal(vectorizer.fit_transform(mixed), vectorizer.fit_transform(MANY[:200]))


class Loud(str):
    def lower(self):
        return self.upper()


def test_a_text_with_methods_of_its_own():
    assert list(SequenceVectorizer().fit([Loud("a b")]).vocabulary_) == ["A", "B"]


REPLACEMENTS = {
    "build_analyzer": lambda: lambda document: ["always"],
    "build_preprocessor": lambda: lambda document: "always",
    "build_tokenizer": lambda: lambda document: ["always"],
    "decode": lambda document: "always",
    "get_stop_words": lambda: frozenset(["a", "never"]),
}


@pytest.mark.parametrize("base", [SequenceVectorizer, HashingSequenceVectorizer])
@pytest.mark.parametrize("name", REPLACEMENTS)
def test_replaced_methods_are_called(base, name):
    wanted = base(maxlen=2).fit(["always"]).transform(["always"])
    texts = ["never a always" if name == "get_stop_words" else "never"]
    own = base(maxlen=2)
    setattr(own, name, REPLACEMENTS[name])
    derived = type("Derived", (base,), {name: staticmethod(REPLACEMENTS[name])})
    derived.__init__ = base.__init__
    for vectorizer in (own, derived(maxlen=2)):
        assert_array_equal(vectorizer.fit_transform(texts), wanted)
        assert_array_equal(vectorizer.transform(texts), wanted)


def test_a_vocabulary_may_change():
    vectorizer = SequenceVectorizer(maxlen=3).fit(["a b"])
    assert vectorizer.transform(["b c"])[0].tolist() == [1, 4, 2]
    vectorizer.vocabulary_["c"] = 5
    assert vectorizer.transform(["b c"])[0].tolist() == [1, 4, 5]
    vectorizer.vocabulary_ = {"c": 7, "b": 3}
    assert vectorizer.transform(["b c"])[0].tolist() == [1, 3, 7]


def test_ids_that_the_dtype_cannot_hold():
    wide = SequenceVectorizer(vocabulary={"a": 2**40}, max_features=None, dtype=np.int64)
    assert wide.fit_transform(["a"])[0, -1] == wide.transform(["a"])[0, -1] == 2**40
    for dtype in (np.int8, np.int32):
        vectorizer = SequenceVectorizer().fit(["a b"]).set_params(dtype=dtype)
        vectorizer.vocabulary_ = {"a": 2**40, "b": 3}
        with pytest.raises(ValueError, match=f"{2**40}"):
            vectorizer.transform(["b a"])


def test_threads_share_a_vectorizer():
    vectorizer = SequenceVectorizer(maxlen=9).fit(MANY)
    wanted = vectorizer.transform(MANY)
    with ThreadPoolExecutor(4) as pool:
        for ids in pool.map(vectorizer.transform, [MANY] * 20):
            assert_array_equal(ids, wanted)


def test_subclasses_may_read_pairs_of_words():
    class Pairs(SequenceVectorizer):
        ngram_range = (2, 2)

    assert list(Pairs().fit(["b a c"]).vocabulary_) == ["a c", "b a"]


@pytest.mark.parametrize("vectorizer", [SequenceVectorizer(), HashingSequenceVectorizer()])
def test_a_bad_document_behind_many_good_ones(vectorizer):
    with pytest.raises(ValueError, match="Document 277 is of type NoneType"):
        vectorizer.fit_transform([*MANY[:277], None])


def test_the_most_frequent_words_are_kept():
    words = SequenceVectorizer(6).fit(["a b b c c c d d d d", "e"]).vocabulary_
    assert words == {"d": 3, "c": 4, "b": 5}


def test_more_hashes_than_32_bits():
    texts = ["A cat, a dog"]
    wide = HashingSequenceVectorizer(2**40, maxlen=5, dtype=np.int64)
    assert_array_equal(wide.transform(texts), slow(wide).transform(texts))
