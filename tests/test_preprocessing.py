"""Padding against Keras's documented results, vectorising against hand-made ids."""

import io
import pickle
import warnings
from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils import get_tags

from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer, pad_sequences

RAGGED = [[1], [2, 3], [4, 5, 6]]
TEXTS = ["The cat sat. The cat ran!", "A dog sat, the dog didn't run."]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[0, 0, 1], [0, 2, 3], [4, 5, 6]]),
        ({"value": -1}, [[-1, -1, 1], [-1, 2, 3], [4, 5, 6]]),
        ({"padding": "post"}, [[1, 0, 0], [2, 3, 0], [4, 5, 6]]),
        ({"maxlen": 2}, [[0, 1], [2, 3], [5, 6]]),
        ({"maxlen": 2, "truncating": "post"}, [[0, 1], [2, 3], [4, 5]]),
        ({"maxlen": 4, "padding": "post"}, [[1, 0, 0, 0], [2, 3, 0, 0], [4, 5, 6, 0]]),
    ],
)
def test_pad_sequences_gives_what_keras_documents(options, expected):
    for sequences in (RAGGED, tuple(map(tuple, RAGGED)), [np.array(s) for s in RAGGED]):
        padded = pad_sequences(sequences, **options)
        assert padded.dtype == np.int32
        assert_array_equal(padded, expected)


def test_pad_sequences_of_vectors_floats_and_empty_sequences():
    vectors = [[], [[1, 1]], [[2, 1], [2, 2]]]
    assert_array_equal(
        pad_sequences(vectors), [[[0, 0], [0, 0]], [[0, 0], [1, 1]], [[2, 1], [2, 2]]]
    )
    padded = pad_sequences([[1.5], []], dtype="float32", padding="post", maxlen=2, value=0.5)
    assert padded.dtype == np.float32
    assert_array_equal(padded, [[1.5, 0.5], [0.5, 0.5]])
    assert pad_sequences([], maxlen=3).shape == (0, 3)
    assert pad_sequences([[], []]).shape == (2, 0)


@pytest.mark.parametrize("dtype", [object, "<U3", "S3"])
def test_pad_sequences_of_strings(dtype):
    padded = pad_sequences([["a"], ["b", "c"]], dtype=dtype, value="pad")
    assert_array_equal(padded, np.array([["pad", "a"], ["b", "c"]], dtype=dtype))


@pytest.mark.parametrize(
    ("sequences", "options", "message"),
    [
        (5, {}, "`sequences` must be iterable"),
        (iter(RAGGED), {}, "`sequences` must be iterable"),
        (np.array(5), {}, "`sequences` must be iterable"),
        (sparse.eye_array(2, format="csr"), {}, "`sequences` must be iterable"),
        ([1, 2], {}, "Found non-iterable: 1"),
        ([[1], None], {}, "Found non-iterable: None at position 1"),
        ([[1], np.array(1)], {}, "Found non-iterable: 1 at position 1"),
        (RAGGED, {"padding": "left"}, 'Padding type "left" not understood'),
        (RAGGED, {"truncating": "left"}, 'Truncating type "left" not understood'),
        (RAGGED, {"value": "pad"}, "`dtype` int32 is not compatible with `value`'s type"),
        ([[[1, 1]], [[2]]], {}, r"Shape of sample \(1,\) of sequence at position 1"),
        ([], {}, "`maxlen` must be given"),
    ],
)
def test_pad_sequences_refuses(sequences, options, message):
    with pytest.raises(ValueError, match=message):
        pad_sequences(sequences, **options)


@pytest.mark.parametrize("dtype", ["int32", float, object, "U3", "S3"])
@pytest.mark.parametrize("word", ["123", b"123", np.str_("123")])
def test_pad_sequences_refuses_strings_in_place_of_sequences(word, dtype):
    """NumPy would repeat one of them along its row; Keras has no length for it."""
    for sequences, position in ([word, word], 0), ([[], ["1"], word], 2):
        with pytest.raises(TypeError, match=f"at position {position} is .*123.*; pass a list"):
            pad_sequences(sequences, dtype=dtype)


@pytest.mark.parametrize(("dtype", "filled"), [(object, 0.0), ("U3", "0.0"), (None, 0.0)])
def test_pad_sequences_fills_with_a_float_as_keras_does(dtype, filled):
    padded = pad_sequences([[1], [2, 3]], dtype=dtype)
    assert type(padded[0].tolist()[0]) is type(filled)
    assert padded[0, 0] == filled


def test_ids_follow_frequency_then_alphabet():
    vectorizer = SequenceVectorizer(maxlen=9)
    X = vectorizer.fit_transform(TEXTS)
    # the 3; cat dog sat 2; a didn't ran run 1
    words = ["the", "cat", "dog", "sat", "a", "didn't", "ran", "run"]
    assert list(vectorizer.vocabulary_.items()) == list(zip(words, range(3, 11), strict=True))
    assert_array_equal(X, [[0, 0, 1, 3, 4, 6, 3, 4, 9], [0, 1, 7, 5, 6, 3, 5, 8, 10]])
    assert X.dtype == np.int32
    assert_array_equal(vectorizer.transform(["The bird."]), [[0] * 6 + [1, 3, 2]])


@pytest.mark.parametrize("max_features", [4, 6, 9, 10000, None])
def test_ids_stay_below_max_features(max_features):
    X = SequenceVectorizer(max_features, maxlen=None).fit_transform(TEXTS)
    assert max(map(max, X)) == min(max_features or 11, 11) - 1
    assert [len(row) for row in X] == [7, 8]


def test_default_tokens_are_those_of_keras():
    text = "Don't STOP--it's <br />A-B_c, \"1.5\"\tCafé\n`x`~y|z {q} [r] \\s ^t @u #v %w &x *y"
    filters = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
    cleaned = "".join(" " if letter in filters else letter for letter in text.lower())
    vectorizer = SequenceVectorizer(maxlen=None)
    words = vectorizer.inverse_transform(vectorizer.fit_transform([text]))
    assert words == [[word for word in cleaned.split(" ") if word]]


def test_padding_and_truncation_count_the_start():
    post = SequenceVectorizer(maxlen=4, padding="post", truncating="post")
    assert_array_equal(post.fit_transform(["a b c d e", "a"]), [[1, 3, 4, 5], [1, 3, 0, 0]])
    pre = clone(post).set_params(padding="pre", truncating="pre")
    assert_array_equal(pre.fit_transform(["a b c d e", "a"]), [[4, 5, 6, 7], [0, 0, 1, 3]])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_features": 6},
        {"min_df": 2},
        {"max_df": 0.5},
        {"stop_words": ["the", "a"]},
        {"analyzer": "char"},
        {"vocabulary": ["cat", "dog"]},
    ],
)
def test_fit_transform_is_fit_and_transform_and_analyses_once(options):
    seen = []

    def preprocess(text):
        seen.append(text)
        return text.lower()

    vectorizer = SequenceVectorizer(maxlen=None, preprocessor=preprocess, **options)
    together = vectorizer.fit_transform(iter(TEXTS))
    assert [text for text in seen if text in TEXTS] == TEXTS  # stop words go through it too
    vocabulary = vectorizer.vocabulary_
    apart = clone(vectorizer).fit(TEXTS)
    assert apart.vocabulary_ == vocabulary
    for one, other in zip(together, apart.transform(TEXTS), strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize(
    "options",
    [
        {"token_pattern": r"(?u)\b\w\w+\b"},
        {"strip_accents": "unicode", "lowercase": False},
        {"stop_words": "english", "tokenizer": str.split},
        {"analyzer": "char_wb"},
        {"analyzer": str.split},
        {"min_df": 2, "max_df": 2},
    ],
)
@pytest.mark.filterwarnings("ignore:The parameter 'token_pattern' will not be used")
def test_words_and_counts_agree_with_count_vectorizer(options):
    texts = ["Été the the naïve Cat", "the cat and a CAT", "été Cat"]
    pattern = SequenceVectorizer().token_pattern
    reference = CountVectorizer(**{"token_pattern": pattern, **options})
    counts = reference.fit_transform(texts).toarray()
    names = reference.get_feature_names_out()
    vectorizer = SequenceVectorizer(maxlen=None, **options)
    words = vectorizer.inverse_transform(vectorizer.fit_transform(texts))
    for row, sequence in zip(counts, words, strict=True):
        found = Counter(word for word in sequence if word != "[UNK]")
        assert found == {name: count for name, count in zip(names, row, strict=True) if count}


def test_tokens_may_be_tuples():
    vectorizer = SequenceVectorizer(analyzer=lambda text: list(pairwise(text)))
    assert vectorizer.fit(["abab"]).vocabulary_ == {("a", "b"): 3, ("b", "a"): 4}


def test_input_from_files_and_bytes(tmp_path):
    expected = SequenceVectorizer(maxlen=5).fit_transform(["ça va", "va"])
    path = tmp_path / "text"
    path.write_bytes("ça va".encode("latin-1"))
    latin = {"maxlen": 5, "encoding": "latin-1"}
    for source, kind in (
        (["ça va".encode("latin-1"), b"va"], "content"),
        ([io.BytesIO("ça va".encode("latin-1")), io.BytesIO(b"va")], "file"),
    ):
        assert_array_equal(SequenceVectorizer(input=kind, **latin).fit_transform(source), expected)
    by_name = SequenceVectorizer(input="filename", **latin).fit_transform([path])
    assert_array_equal(by_name, expected[:1])
    with pytest.raises(UnicodeDecodeError):
        SequenceVectorizer().fit(["ça va".encode("latin-1")])


def test_given_vocabulary():
    fitted = SequenceVectorizer(maxlen=6).fit(TEXTS)
    same = SequenceVectorizer(maxlen=6, vocabulary=fitted.vocabulary_)
    assert_array_equal(same.transform(TEXTS), fitted.transform(TEXTS))
    assert not hasattr(same, "vocabulary_")
    assert same.fit(TEXTS).vocabulary_ == fitted.vocabulary_
    assert SequenceVectorizer(vocabulary={"b", "a"}).fit([]).vocabulary_ == {"a": 3, "b": 4}
    cut = SequenceVectorizer(5, vocabulary={"a": 3, "b": 70, "c": 4}).fit([])
    assert cut.vocabulary_ == {"a": 3, "c": 4}


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        ([], "vocabulary is empty"),
        (["a", "b", "c", "b"], "contains 'b' twice, at places 1 and 3, counted from 0"),
        ({"a": 3, "b": 4, "c": 3}, "gives the id 3 to both 'a' and 'c'"),
        ({"a": 5, "b": 2}, "got 2 for 'b'"),
        ({"a": "x", "b": 3}, "got 'x' for 'a'"),
        ({"a": 20000}, "less than max_features=20000"),
    ],
)
def test_given_vocabulary_is_checked(vocabulary, message):
    with pytest.raises(ValueError, match=message):
        SequenceVectorizer(vocabulary=vocabulary).fit(["a b"])


def test_inverse_transform_takes_arrays_and_lists():
    vectorizer = SequenceVectorizer(maxlen=5).fit(["b a b"])
    expected = [["b", "[UNK]", "a"], []]
    ids = vectorizer.transform(["b c a", ""])
    assert vectorizer.inverse_transform(ids) == expected
    assert vectorizer.inverse_transform([[1, 3, 2, 4, 0], []]) == expected
    with pytest.raises(ValueError, match="wrap a single sequence"):
        vectorizer.inverse_transform([1, 3, 4])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_features": 3}, "'max_features' parameter"),
        ({"maxlen": 0}, "'maxlen' parameter"),
        ({"padding": "left"}, "'padding' parameter"),
        ({"input": "url"}, "'input' parameter"),
        ({"min_df": 2.0}, "'min_df' parameter"),
        ({"dtype": np.float32}, "cannot hold the ids"),
        ({"min_df": 2, "max_df": 1}, "max_df=1 corresponds to fewer documents than min_df=2"),
        ({"stop_words": ["x"]}, "Empty vocabulary"),
    ],
)
def test_parameters_are_checked_and_a_failed_fit_leaves_no_trace(options, message):
    vectorizer = SequenceVectorizer(**options)
    for method in (vectorizer.fit, vectorizer.fit_transform):
        with pytest.raises(ValueError, match=message):
            method(["x", "x"])
    assert not hasattr(vectorizer, "vocabulary_")


def test_dtype_must_hold_the_ids():
    text = " ".join(map(str, range(130)))
    assert SequenceVectorizer(dtype=np.uint8).fit_transform([text]).dtype == np.uint8
    with pytest.raises(ValueError, match="ids up to 132"):
        SequenceVectorizer(dtype=np.int8).fit([text])


def test_a_failed_refit_keeps_the_vocabulary():
    vectorizer = SequenceVectorizer().fit(["a b"])
    with pytest.raises(ValueError, match="Empty vocabulary"):
        vectorizer.fit([])
    assert vectorizer.vocabulary_ == {"a": 3, "b": 4}


@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
def test_a_single_string_is_refused(method):
    vectorizer = SequenceVectorizer().fit(TEXTS)
    with pytest.raises(ValueError, match="Iterable over raw text documents expected, string"):
        getattr(vectorizer, method)("just one")
    with pytest.raises(ValueError, match="NoneType object received"):
        getattr(vectorizer, method)(None)
    with pytest.raises(ValueError, match=r"X has shape \(1, 2\); pass a single column"):
        getattr(vectorizer, method)(pd.DataFrame({"title": ["a"], "text": ["b"]}))


def test_columns_of_text():
    wanted = SequenceVectorizer().fit_transform(TEXTS)
    for column in (
        pd.Series(TEXTS),
        pd.Series(TEXTS, dtype="string"),
        np.array(TEXTS),
        tuple(TEXTS),
    ):
        assert_array_equal(SequenceVectorizer().fit_transform(column), wanted)


def test_scikit_learn_conventions():
    vectorizer = SequenceVectorizer(50, 7, padding="post")
    for call in (vectorizer.transform, vectorizer.inverse_transform):
        with pytest.raises(NotFittedError):
            call(TEXTS)
    tags = get_tags(vectorizer)
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    X = vectorizer.fit_transform(TEXTS)
    assert clone(vectorizer).get_params() == vectorizer.get_params()
    assert not hasattr(clone(vectorizer), "vocabulary_")
    assert_array_equal(pickle.loads(pickle.dumps(vectorizer)).transform(TEXTS), X)


def test_columns_of_texts():
    pl = pytest.importorskip("polars", reason="polars is not installed")
    frame = {"text": TEXTS}
    wanted = SequenceVectorizer(maxlen=9).fit_transform(TEXTS)
    for column in (pl.Series(TEXTS), pl.DataFrame(frame)["text"], pd.DataFrame(frame)["text"]):
        assert_array_equal(SequenceVectorizer(maxlen=9).fit_transform(column), wanted)
        hashed = HashingSequenceVectorizer(maxlen=9)
        assert_array_equal(hashed.transform(column), hashed.transform(TEXTS))
    for wrong in (pl.DataFrame(frame), pd.DataFrame(frame)):
        with pytest.raises(ValueError, match=r"X has shape \(2, 1\); pass a single column"):
            SequenceVectorizer().fit(wrong)


@pytest.mark.parametrize("missing", [None, 3, ["a"], np.nan, float("nan"), pd.NA])
def test_documents_that_are_no_text(missing):
    fitted = SequenceVectorizer().fit(TEXTS)
    for method in (fitted.transform, fitted.fit, HashingSequenceVectorizer().transform):
        with pytest.raises(ValueError, match=f"Document 1 is of type {type(missing).__name__}, "):
            method(["text", missing])
    assert_array_equal(fitted.transform(TEXTS), SequenceVectorizer().fit_transform(TEXTS))
    own = SequenceVectorizer(preprocessor=lambda document: str(document), token_pattern=".+")
    assert set(own.fit(["a text", missing]).vocabulary_) == {"a text", str(missing)}


@pytest.mark.parametrize("vectorizer", [SequenceVectorizer, HashingSequenceVectorizer])
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_places_have_names(vectorizer, library):
    pytest.importorskip(library, reason=f"{library} is not installed")
    wanted = vectorizer(maxlen=3).fit_transform(TEXTS)
    own = vectorizer(maxlen=3).set_output(transform=library)
    frame = own.fit_transform(TEXTS)
    names = [f"{vectorizer.__name__.lower()}{i}" for i in range(3)]
    assert list(frame.columns) == list(own.get_feature_names_out()) == names
    assert_array_equal(np.asarray(frame), wanted)
    with pytest.raises(ValueError, match="maxlen=None gives ragged output"):
        own.set_params(maxlen=None).get_feature_names_out()


def test_a_tokenizer_needs_no_pattern():
    words = SequenceVectorizer(token_pattern=None, tokenizer=str.split).fit(["a-b c"]).vocabulary_
    assert list(words) == ["a-b", "c"]
    for vectorizer in (SequenceVectorizer, HashingSequenceVectorizer):
        with pytest.raises(ValueError, match="token_pattern=None requires a tokenizer"):
            vectorizer(token_pattern=None).fit_transform(TEXTS)


def own_split(text):
    return text.split()


UNFIT = [
    {"vocabulary": ["GOOD", "BAD"]},
    {"vocabulary": {"good": 3, "Bad": 4}, "maxlen": None},
    {"stop_words": ["isn't it"], "vocabulary": ["good"]},
    {"stop_words": ["The"]},
    {"stop_words": ["the"], "analyzer": "char"},
    {"stop_words": ["the"], "analyzer": own_split},
    {"tokenizer": own_split},
    {"tokenizer": own_split, "token_pattern": r"\w+"},
    {"tokenizer": own_split, "token_pattern": None, "analyzer": "char_wb"},
    {"token_pattern": r"\w+", "analyzer": "char"},
    {"preprocessor": str.lower, "analyzer": own_split},
]


@pytest.mark.parametrize(
    ("vectorizer", "options"),
    [
        *((SequenceVectorizer, options) for options in UNFIT),
        *((HashingSequenceVectorizer, options) for options in UNFIT if "vocabulary" not in options),
    ],
)
def test_parameters_that_do_not_fit_together_are_warned_of_as_by_count_vectorizer(
    vectorizer, options
):
    shared = {name: value for name, value in options.items() if name != "maxlen"}
    counting = CountVectorizer(**{"token_pattern": SequenceVectorizer().token_pattern, **shared})
    if callable(counting.analyzer) or counting.analyzer == "char":
        counting.set_params(token_pattern=shared.get("token_pattern", r"(?u)\b\w\w+\b"))
    if "vocabulary" in options:
        counting.vocabulary = list(options["vocabulary"])
    wanted = messages_of(lambda: counting.fit(TEXTS))
    assert wanted
    for method in ("fit", "fit_transform"):
        own = vectorizer(**options)
        found = messages_of(lambda own=own, method=method: getattr(own, method)(TEXTS))
        for sentence, start in zip(found, wanted, strict=True):
            assert sentence.startswith(start.split(". ")[0])
        assert messages_of(lambda own=own: own.transform(TEXTS)) == []  # said once


def messages_of(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return sorted(str(warning.message) for warning in caught)


@pytest.mark.parametrize("strip_accents", ["ascii", "unicode"])
def test_accents_in_a_vocabulary_are_warned_of_where_they_are_stripped(strip_accents):
    vectorizer = SequenceVectorizer(vocabulary=["le", "café"], strip_accents=strip_accents)
    with pytest.warns(UserWarning, match=r"Accents found in vocabulary .* 'café', .* 'cafe'"):
        vectorizer.fit(["le café"])
    assert_array_equal(vectorizer.transform(["le café"])[0, -3:], [1, 3, 2])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lowercase": False, "vocabulary": ["GOOD", "café"]},
        {"vocabulary": ["café", "isn't"]},
        {"vocabulary": ["GOOD"], "preprocessor": str.upper},
        {"vocabulary": ["GOOD"], "analyzer": own_split},
        {"vocabulary": [("a", "b")], "analyzer": own_split},
        {"stop_words": "english"},
        {"stop_words": ["the"]},
        {"analyzer": "char"},
        {"analyzer": own_split},
        {"tokenizer": own_split, "token_pattern": None},
    ],
)
def test_parameters_that_fit_together_are_not_warned_of(options):
    assert messages_of(lambda: SequenceVectorizer(**options).fit_transform(TEXTS)) == []


@pytest.mark.parametrize("make", [iter, lambda words: (word for word in words)])
def test_an_iterator_as_vocabulary_serves_more_than_once(make):
    wanted = {"cat": 3, "dog": 4}
    fitted = SequenceVectorizer(vocabulary=make(["cat", "dog"])).fit(TEXTS)
    assert fitted.vocabulary_ == fitted.fit(TEXTS).vocabulary_ == wanted
    assert clone(fitted).fit(TEXTS).vocabulary_ == wanted
    unfitted = SequenceVectorizer(vocabulary=make(["cat", "dog"]))
    for _ in range(2):
        assert_array_equal(unfitted.transform(TEXTS), fitted.transform(TEXTS))


def test_the_place_of_a_document_that_cannot_be_decoded():
    for vectorizer in (SequenceVectorizer(), HashingSequenceVectorizer()):
        with pytest.raises(UnicodeDecodeError) as caught:
            vectorizer.fit_transform(["fine", "caf\xe9".encode("latin-1")])
        assert caught.value.__notes__ == ["This is document 1, counted from 0."]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_words_of_a_frame(library):
    frames = pytest.importorskip(library, reason=f"{library} is not installed")
    vectorizer = SequenceVectorizer(maxlen=6)
    ids = vectorizer.fit_transform(TEXTS)
    words = vectorizer.inverse_transform(frames.DataFrame(ids))
    assert words == vectorizer.inverse_transform(ids)


@pytest.mark.parametrize(("how", "words"), [("ignore", ["caf"]), ("replace", ["caf\ufffd"])])
def test_bytes_that_are_not_valid(how, words):
    text = "caf\xe9".encode("latin-1")
    assert list(SequenceVectorizer(decode_error=how).fit([text]).vocabulary_) == words
    with pytest.raises(UnicodeDecodeError):
        SequenceVectorizer().fit([text])
