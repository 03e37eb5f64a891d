# Dropout of numbers, of rows and of tokens.

from cython cimport floating
from libc.stdint cimport int32_t, int64_t, uint16_t, uint64_t

from crnn._c.loops cimport CRNN_BLOCK, crnn_draw, crnn_piece, crnn_share, drop_loop


def drop(
    floating[:, ::1] x,  # INOUT (R, C)
    Py_ssize_t width,    # numbers of a row that share a draw: 1, or C for whole rows
    uint64_t seed,       # of the stream of draws, 16 bits each
    int least,           # draw that keeps a number
    double factor,       # of what is kept
    int n_threads,
):
    """x := factor x where the draw is at least ``least``, else 0."""
    cdef Py_ssize_t C = x.shape[1], n
    require(width == 1 or width == C, "width must be 1 or the number of columns")
    n = x.shape[0] * C // width if C > 0 else 0
    if n == 0:
        return
    cdef Drop work = Drop(n, width, seed, least, factor)
    with nogil:
        crnn_share(<crnn_piece> drop_blocks[floating], &work, &x[0, 0],
                   count_chunks(n, COPIES), n_threads, 8 * x.shape[0] * C)


cdef struct Drop:
    Py_ssize_t n, width
    uint64_t seed
    int least
    double factor


cdef void drop_blocks(const Drop *work, floating *x, Py_ssize_t c) noexcept nogil:
    cdef Py_ssize_t size = CRNN_BLOCK, end = min(work.n, (c + 1) * COPIES), block
    for block in range(c * COPIES // size, count_chunks(end, size)):
        drop_loop[floating](min(size, end - block * size), work.width, work.seed, block, work.least,
                            <floating> work.factor, x + block * size * work.width)


def drop_tokens(
    const int32_t[::1] values,   # IN  (n_steps,)
    const int64_t[::1] starts,   # IN  (B,)  where each sequence starts in the flat values
    const int64_t[::1] offsets,  # IN  (B + 1,)  running sum of the lengths
    uint64_t seed,
    int least,                   # draw that keeps a token
    int n_threads,
    int64_t[::1] places,         # OUT (N,)  where those that stay are in values: for sequence b
                                 #     n_left[b] of them from offsets[b] on
    int64_t[::1] n_left,         # OUT (B,)
):
    """Leave tokens out.

    Padding, the token 0, always stays, and so does the first other token of a sequence that would
    lose all of them.
    """
    cdef Py_ssize_t B = starts.shape[0], b
    cdef bint inside = True
    require(offsets.shape[0] == B + 1 and n_left.shape[0] == B and offsets[0] == 0,
            "offsets and n_left must fit starts")
    for b in range(B):
        inside &= (0 <= starts[b] <= values.shape[0] and offsets[b] <= offsets[b + 1]
                   and offsets[b + 1] - offsets[b] <= values.shape[0] - starts[b])
    require(inside, "sequences must lie in values")
    require(places.shape[0] == offsets[B], "places must have room for all tokens")
    if places.shape[0] == 0:
        n_left[:] = 0
        return
    cdef DropTokens work = DropTokens(&values[0], &starts[0], &offsets[0], &places[0], seed, B,
                                      least)
    with nogil:
        crnn_share(<crnn_piece> drop_some_tokens, &work, &n_left[0], count_chunks(B, SEQUENCES),
                   n_threads, 64 * offsets[B])


cdef struct DropTokens:
    const int32_t *values
    const int64_t *starts
    const int64_t *offsets
    int64_t *places
    uint64_t seed
    Py_ssize_t B
    int least


cdef void drop_some_tokens(const DropTokens *work, int64_t *n_left, Py_ssize_t k) noexcept nogil:
    cdef Py_ssize_t b, n, i, place, left, first, first_place, n_words, is_word, kept, block = -1
    cdef int64_t *places
    cdef uint16_t[CRNN_BLOCK] drawn
    for b in range(k * SEQUENCES, min(work.B, (k + 1) * SEQUENCES)):
        places, left, n_words, first = work.places + work.offsets[b], 0, 0, -1
        place = work.starts[b]
        for n in range(work.offsets[b], work.offsets[b + 1]):
            if n // CRNN_BLOCK != block:
                block = n // CRNN_BLOCK
                crnn_draw(work.seed, block, &drawn[0])
            is_word = work.values[place] != 0
            if is_word and first < 0:
                first, first_place = left, place
            kept = drawn[n % CRNN_BLOCK] >= work.least
            places[left] = place  # without a branch: no processor can predict the draws
            left += kept | (not is_word)
            n_words += kept & is_word
            place += 1
        if first >= 0 and n_words == 0:
            for i in range(left, first, -1):
                places[i] = places[i - 1]
            places[first] = first_place
            left += 1
        n_left[b] = left
