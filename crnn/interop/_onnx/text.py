"""A vectorizer as nodes of ONNX Runtime, where these give the same ids for every text."""

import numpy as np

from crnn.interop._onnx.outputs import Output
from crnn.preprocessing import SequenceVectorizer
from crnn.preprocessing._documents import FIRST_WORD, OUT_OF_VOCABULARY, PAD, START, WORD_PATTERN

PUNCTUATION = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'
# The white space of Python, where that of the expressions of ONNX Runtime is ASCII only.
WHITE_SPACE = "".join(c for c in map(chr, range(0x3001)) if c.isspace())
WORD = "[^" + "".join(rf"\x{{{ord(c):x}}}" for c in WHITE_SPACE + PUNCTUATION) + "]+"
NO_WORD = " "  # behind the last word of a text, in the matrix that Tokenizer gives

# The only values of parameters that ONNX Runtime can follow, and why others cannot be.
WANTED = {
    "lowercase": (
        False,
        "lower case there depends on the locale of the machine, and differs from Python's for 'İ' "
        "and 'Σ'; pass texts from str.lower()",
    ),
    "strip_accents": (None, "there is no operator that removes accents"),
    "analyzer": ("word", "there are operators for words only"),
    "preprocessor": (None, "functions of Python cannot be converted"),
    "tokenizer": (None, "functions of Python cannot be converted"),
    "token_pattern": (WORD_PATTERN, "regular expressions there differ from Python's"),
    "stop_words": (None, "there is no operator that leaves out words"),
    "input": ("content", "there is no operator that reads files"),
}


class ExportedText:
    """What the graph of a vectorizer is made of."""

    kinds_of_input = ("String",)
    domains = frozenset({("com.microsoft", 1), ("ai.onnx.ml", 2)})

    def __init__(self, vectorizer):
        vectorizer._validate_params()
        _check_exact(vectorizer)
        self.vectorizer = vectorizer
        self.vocabulary = None
        if isinstance(vectorizer, SequenceVectorizer):
            self.vocabulary = vectorizer._fitted_vocabulary()
        self.outputs = {"variable": Output(np.dtype(np.int64), (vectorizer.maxlen,))}

    def check_shape(self, shape):
        if tuple(shape[1:]) not in ((), (1,)):
            raise ValueError(
                f"{type(self.vectorizer).__name__} reads one text per document, but its input has "
                f"shape {tuple(shape)}. Declare StringTensorType([None])."
            )

    def entrance(self, graph, X, shape):
        return graph.add("Reshape", X, np.array([-1]))

    def nodes(self, graph, X):
        options = {"mark": 0, "mincharnum": 1, "pad_value": NO_WORD, "tokenexp": WORD}
        words = graph.add("Tokenizer", X, domain="com.microsoft", **options)
        look_up = _hashes if self.vocabulary is None else _ids
        return [self._padded(graph, look_up(self, graph, words))]

    def _padded(self, graph, ids):
        """The start and the ids of each text (N, words), cut or padded to ``maxlen``."""
        n_texts = graph.size(ids, 0)
        shape = graph.add("Concat", n_texts, np.array([1]), axis=0)
        start, end = (graph.add("Expand", np.array([[id_]]), shape) for id_ in (START, PAD))
        ids = graph.add("Concat", start, ids, end, axis=1)  # with a padding to point to
        lengths = graph.add(
            "ReduceSum", graph.cast(graph.add("Greater", ids, np.array(0)), np.int64), np.array([1])
        )
        maxlen, nothing = self.vectorizer.maxlen, np.array(0)
        first = graph.add("Sub", lengths, np.array(maxlen))  # negative: so many paddings before
        if self.vectorizer.truncating == "post":
            first = graph.add("Min", first, nothing)
        if self.vectorizer.padding == "post":
            first = graph.add("Max", first, nothing)
        last = graph.add("Sub", graph.size(ids, 1), np.array([1]))
        places = graph.add("Add", first, np.arange(maxlen)[None])
        places = graph.add("Min", places, last)
        outside = graph.add("Less", places, nothing)
        return graph.add("GatherElements", ids, graph.add("Where", outside, last, places), axis=1)


def _check_exact(vectorizer):
    """Refuse what ONNX Runtime computes otherwise."""
    for name, (wanted, reason) in WANTED.items():
        value = getattr(vectorizer, name)
        if value != wanted:
            raise _not_exact(vectorizer, name, value, reason, f"{name}={wanted!r}")
    if vectorizer.maxlen is None:
        reason = "the rows of a tensor have one length"
        raise _not_exact(vectorizer, "maxlen", None, reason, "maxlen to a number")


def _not_exact(vectorizer, name, value, reason, remedy):
    return ValueError(
        f"{type(vectorizer).__name__}({name}={value!r}) has no ONNX form that gives the same ids "
        f"for every text: {reason}. Set {remedy}, or convert the steps behind the vectorizer and "
        "pass them its ids."
    )


def _encode(graph, words, numbers, default):
    """The number of each word, as a dict has it."""
    return graph.add(
        "LabelEncoder",
        words,
        domain="ai.onnx.ml",
        keys_strings=list(numbers),
        values_int64s=list(numbers.values()),
        default_int64=default,
    )


def _ids(text, graph, words):
    known = {word: id_ for word, id_ in text.vocabulary.items() if isinstance(word, str)}
    return _encode(graph, words, known | {NO_WORD: PAD}, OUT_OF_VOCABULARY)


def _hashes(text, graph, words):
    hashed = graph.cast(graph.add("MurmurHash3", words, domain="com.microsoft"), np.int64)
    hashed = graph.add("Mod", hashed, np.array(text.vectorizer.n_features - FIRST_WORD))
    ids = graph.add("Add", hashed, np.array(FIRST_WORD))
    return graph.add("Mul", ids, _encode(graph, words, {NO_WORD: 0}, 1))
