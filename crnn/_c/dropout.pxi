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
    const int64_t[::1] lengths,  # IN  (B,)
    uint64_t seed,
    int least,                   # draw that keeps a token
    int64_t[::1] places,         # OUT (N,)  first entries: places in values of those that stay
    int64_t[::1] n_left,         # OUT (B,)  how many of each sequence stay
):
    """Leave tokens out; returns how many stay.

    Padding, the token 0, always stays, and so does the first other token of a sequence that would
    lose all of them.
    """
    cdef Py_ssize_t B = starts.shape[0], N = places.shape[0], b, i, place, left = 0, n = 0
    cdef Py_ssize_t first, first_place, n_words, is_word, kept
    cdef uint16_t[CRNN_BLOCK] drawn
    require(lengths.shape[0] == B and n_left.shape[0] == B, "lengths and n_left must fit starts")
    for b in range(B):
        require(0 <= lengths[b] <= values.shape[0] and 0 <= starts[b]
                and starts[b] <= values.shape[0] - lengths[b], "sequences must lie in values")
        n += lengths[b]
        require(n <= N, "places must have room for all tokens")
    n = 0
    with nogil:
        for b in range(B):
            n_left[b], n_words, first = left, 0, -1
            for place in range(starts[b], starts[b] + lengths[b]):
                if n % CRNN_BLOCK == 0:
                    crnn_draw(seed, n // CRNN_BLOCK, &drawn[0])
                is_word = values[place] != 0
                if is_word and first < 0:
                    first, first_place = left, place
                kept = drawn[n % CRNN_BLOCK] >= least
                places[left] = place  # without a branch: no processor can predict the draws
                left += kept | (not is_word)
                n_words += kept & is_word
                n += 1
            if first >= 0 and n_words == 0:
                for i in range(left, first, -1):
                    places[i] = places[i - 1]
                places[first] = first_place
                left += 1
            n_left[b] = left - n_left[b]
    return left
