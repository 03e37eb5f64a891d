# cython: language_level=3, wraparound=False, cdivision=True, freethreading_compatible=True
# cython: embedsignature=True, autotestdict=False, auto_pickle=False
# Whether indices are checked is for setup.py to say: CRNN_DEBUG=1 makes a build that does.
"""Text -> ids by the default rules: lower case, words between white space and punctuation.

Design
------
A document is *folded* first: its characters go as UTF-8 into a buffer, each separator as a space.
The words are then runs of bytes between spaces. What Unicode asks is left to Python: 256 characters
are looked up in a table that Python's own ``str`` methods fill, and a text with others is put into
lower case by ``str.lower``, since one character may become two, and a sigma depends on its
neighbours.

A reader turns words into ids. It keeps the words that it knows in a hash table of its own (see
``_c/words.h``), which spares making a ``str`` of each; only a word that is not there goes through
Python. So a reader is as right as the dict it reads from, is made anew for each call, which costs
about a microsecond, and belongs to one thread.

Each has a twin of the same name and signature in ``_reference.py``.
"""

import os

import numpy as np

from cpython.unicode cimport (
    PyUnicode_DATA,
    PyUnicode_DecodeUTF8,
    PyUnicode_GET_LENGTH,
    PyUnicode_KIND,
)
from cython cimport final
from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from "Python.h":
    void *PyMem_RawMalloc(size_t) nogil
    void PyMem_RawFree(void *) nogil
    bint PyUnicode_IS_ASCII(str)
    bint Py_UNICODE_ISSPACE(Py_UCS4) nogil  # what \s of a regular expression is

cdef extern from "_c/words.h" nogil:
    ctypedef struct crnn_slot:
        size_t start
        int32_t id
    ctypedef struct crnn_words:
        size_t n_words
        uint8_t *letters
        size_t n_letters
    int crnn_first_bit(uint64_t)
    uint64_t crnn_edges(const uint8_t *, uint64_t *)
    uint32_t crnn_murmur(const uint8_t *, size_t)
    uint64_t crnn_sip(const uint64_t *, const uint8_t *, size_t)
    bint crnn_reserve(crnn_words *, size_t)
    crnn_slot *crnn_find(const crnn_words *, uint32_t, const uint8_t *, size_t)
    void crnn_keep(crnn_words *, crnn_slot *, uint32_t, const uint8_t *, size_t, int32_t)
    void crnn_free_words(crnn_words *)

cdef enum:
    # As long as a table has fewer words than this, it keeps unknown ones too.
    MOST_WITH_UNKNOWN = 1 << 20

ctypedef fused character:
    uint8_t
    uint16_t
    uint32_t

START, OUT_OF_VOCABULARY, FIRST_WORD = 1, 2, 3
# Of Keras; white space separates as well.
PUNCTUATION = """!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~"""

cdef object unknown = OUT_OF_VOCABULARY
cdef int32_t _start = START, _unknown = OUT_OF_VOCABULARY, _first = FIRST_WORD
cdef uint64_t[2] _key  # of this process
cdef bytes _random = os.urandom(sizeof(_key))
memcpy(_key, <const char *> _random, sizeof(_key))


def _folded(lowercase):
    """For each of the first 256 characters what it becomes, a space if it separates words."""
    kept = (" " if c.isspace() or c in PUNCTUATION else c for c in map(chr, range(256)))
    return "".join(c.lower() if lowercase else c for c in kept).encode("latin-1")


cdef bytes _lower = _folded(True), _as_it_is = _folded(False)


cdef Py_ssize_t fold(const character *text, Py_ssize_t n, const uint8_t *table,
                     uint8_t *out) noexcept nogil:
    """UTF-8 of a text, as `table` says for the first 256 characters; the number of bytes."""
    cdef Py_ssize_t i
    cdef uint8_t *start = out
    cdef uint32_t c
    for i in range(n):
        c = text[i]
        if c < 0x100:
            c = table[c]
        elif Py_UNICODE_ISSPACE(c):
            c = c" "
        if c < 0x80:
            out[0] = <uint8_t> c
            out += 1
            continue
        if c < 0x800:
            out[0] = <uint8_t> (0xC0 | c >> 6)
        else:
            if c < 0x10000:
                out[0] = <uint8_t> (0xE0 | c >> 12)
            else:
                out[0] = <uint8_t> (0xF0 | c >> 18)
                out[1] = <uint8_t> (0x80 | c >> 12 & 0x3F)
                out += 1
            out[1] = <uint8_t> (0x80 | c >> 6 & 0x3F)
            out += 1
        out[1] = <uint8_t> (0x80 | c & 0x3F)
        out += 2
    return out - start


cdef class Reader:
    """Base of the readers, which differ in the id of a word."""

    cdef uint8_t *folded
    cdef Py_ssize_t room

    def __dealloc__(self):
        PyMem_RawFree(self.folded)

    cdef int64_t id_of(self, const uint8_t *word, size_t n) except? -1:
        raise NotImplementedError

    def read(self, documents, bint lowercase):
        """Ids of texts, one text after the other, each with the start in front; and their ends."""
        cdef tuple texts = tuple([in_lower_case(text) if lowercase else text for text in documents])
        cdef const uint8_t *table = <const uint8_t *> <char *> (_lower if lowercase else _as_it_is)
        cdef Py_ssize_t at = 0, i, room = 0
        cdef str text
        for text in texts:
            if text is None:
                raise TypeError("a document is None")
            room += PyUnicode_GET_LENGTH(text) // 2 + 2
        room_for_ids, text_ends = np.empty(room, np.int32), np.empty(len(texts), np.int64)
        cdef int32_t[::1] ids = room_for_ids
        cdef int64_t[::1] ends = text_ends
        for i in range(len(texts)):
            at += self.read_one(texts[i], table, &ids[at])
            ends[i] = at
        return room_for_ids[:at].copy(), text_ends

    cdef Py_ssize_t read_one(self, str text, const uint8_t *table, int32_t *ids) except -1:
        """Write the ids of one text; their number."""
        cdef const uint8_t *end = self.fold(text, table)
        cdef const uint8_t *block = self.folded
        cdef const uint8_t *word = NULL
        cdef const uint8_t *edge
        cdef int32_t *out = ids
        cdef uint64_t edges, inside = 0
        out[0] = _start
        out += 1
        while block <= end:
            edges = crnn_edges(block, &inside)
            while edges:
                edge = block + crnn_first_bit(edges)
                edges &= edges - 1
                if word is NULL:
                    word = edge
                else:
                    out[0] = <int32_t> self.id_of(word, edge - word)
                    out += 1
                    word = NULL
            block += 64
        return out - ids

    cdef const uint8_t *fold(self, str text, const uint8_t *table) except NULL:
        """Fold into the buffer, with a block of spaces behind; the end."""
        cdef Py_ssize_t n = PyUnicode_GET_LENGTH(text), i
        cdef int kind = PyUnicode_KIND(text)
        cdef const void *letters = PyUnicode_DATA(text)
        cdef const uint8_t *ascii = <const uint8_t *> letters
        self.reserve(n * (kind + 1 if kind < 4 else 4) + 64)
        cdef uint8_t *out = self.folded
        if PyUnicode_IS_ASCII(text):
            for i in range(n):
                out[i] = table[ascii[i]]
        elif kind == 1:
            n = fold(<const uint8_t *> letters, n, table, out)
        elif kind == 2:
            n = fold(<const uint16_t *> letters, n, table, out)
        else:
            n = fold(<const uint32_t *> letters, n, table, out)
        memset(out + n, c" ", 64)
        return out + n

    cdef int reserve(self, Py_ssize_t room) except -1:
        if room > self.room:
            PyMem_RawFree(self.folded)
            self.room = 0
            self.folded = <uint8_t *> PyMem_RawMalloc(2 * room)
            if self.folded is NULL:
                raise MemoryError
            memset(self.folded, 0, 2 * room)
            self.room = 2 * room
        return 0


cdef str in_lower_case(str text):
    """The text itself where the table of the first 256 characters is enough."""
    return text if text is None or PyUnicode_KIND(text) == 1 else text.lower()


@final
cdef class HashingReader(Reader):
    """The id of a word is its MurmurHash3 modulo the number of ids for words."""

    cdef uint32_t n_words

    def __cinit__(self, int64_t n_features):
        if not _first < n_features <= <int64_t> INT32_MAX + 1:
            raise ValueError(f"n_features must be above {FIRST_WORD} and at most 2**31")
        self.n_words = <uint32_t> (n_features - _first)

    cdef int64_t id_of(self, const uint8_t *word, size_t n) except? -1:
        return _first + crnn_murmur(word, n) % self.n_words


cdef class RememberingReader(Reader):
    """Base of the readers with a table of words."""

    cdef crnn_words words

    def __cinit__(self):
        if not crnn_reserve(&self.words, 0):
            raise MemoryError

    def __dealloc__(self):
        crnn_free_words(&self.words)

    cdef int64_t id_of(self, const uint8_t *word, size_t n) except? -1:
        cdef uint32_t hash = <uint32_t> crnn_sip(_key, word, n)
        cdef crnn_slot *slot = crnn_find(&self.words, hash, word, n)
        return slot.id if slot.start else self.id_of_new(hash, word, n)

    cdef int64_t id_of_new(self, uint32_t hash, const uint8_t *word, size_t n) except? -1:
        cdef int32_t id = <int32_t> self.new(word, n)
        if id != _unknown or self.words.n_words < MOST_WITH_UNKNOWN:
            if not crnn_reserve(&self.words, n):
                raise MemoryError
            crnn_keep(&self.words, crnn_find(&self.words, hash, word, n), hash, word, n, id)
        return id

    cdef int64_t new(self, const uint8_t *word, size_t n) except? -1:
        raise NotImplementedError


@final
cdef class LearningReader(RememberingReader):
    """Ids in the order in which words appear."""

    cdef int64_t new(self, const uint8_t *word, size_t n) except? -1:
        if self.words.n_words > <size_t> (INT32_MAX - _first):
            raise OverflowError("more than 2**31 distinct words")
        return _first + <int64_t> self.words.n_words

    def learned(self):
        """The words, in the order of their ids."""
        if self.words.n_words == 0:
            return []
        letters = self.words.letters[1 : self.words.n_letters - 1]
        return letters.decode("utf-8", "surrogatepass").split(" ")


@final
cdef class VocabularyReader(RememberingReader):
    """The ids that a dict gives; words that are not in it are unknown, and not kept."""

    cdef dict vocabulary

    def __cinit__(self, dict vocabulary not None):
        self.vocabulary = vocabulary

    cdef int64_t new(self, const uint8_t *word, size_t n) except? -1:
        text = PyUnicode_DecodeUTF8(<const char *> word, n, "surrogatepass")
        cdef int64_t id = self.vocabulary.get(text, unknown)
        if id != <int32_t> id:
            raise ValueError(f"The id {id} of {text!r} does not fit in 32 bits.")
        return id


def pad(const uint8_t[::1] items, const int64_t[::1] ends, bint pad_first, bint cut_first,
        uint8_t[:, ::1] out):
    """Rows of equal length: zeros in front or behind, what is too long cut in front or behind.

    All lengths are in bytes, so that items of any type will do.
    """
    cdef Py_ssize_t row, start = 0, end, kept, width = out.shape[1]
    if ends.shape[0] != out.shape[0]:
        raise ValueError(f"{ends.shape[0]} documents do not fit into {out.shape[0]} rows")
    for row in range(ends.shape[0]):
        end = ends[row]
        if not start <= end <= items.shape[0]:
            raise ValueError("ends must not fall and stay within items")
        kept = min(end - start, width)
        if kept < width:
            memset(&out[row, 0 if pad_first else kept], 0, width - kept)
        if kept > 0:
            memcpy(&out[row, width - kept if pad_first else 0],
                   &items[end - kept if cut_first else start], kept)
        start = end
