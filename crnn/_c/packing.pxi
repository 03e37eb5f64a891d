# Which steps a batch holds, and in what order: indices, gathered and scattered rows.

from cython cimport floating
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from crnn._c.loops cimport crnn_piece, crnn_prefetch, crnn_share, scatter_add_loop


def leading_zeros(
    const int32_t[::1] values,   # IN  (n_steps,)
    const int64_t[::1] offsets,  # IN  (n + 1,)  sequence i is values[offsets[i]:offsets[i + 1]]
    int32_t[::1] out,            # OUT (n,)
):
    """Number of zeros that each sequence begins with."""
    cdef Py_ssize_t n = out.shape[0], i, j
    require(offsets.shape[0] == n + 1, "offsets must have one entry more than out")
    require_below(offsets, values.shape[0] + 1, "offsets")
    with nogil:
        for i in range(n):
            j = offsets[i]
            while j < offsets[i + 1] and values[j] == 0:
                j += 1
            out[i] = <int32_t> (j - offsets[i])


def order_steps(
    const int32_t[:, ::1] values,  # IN  (n_steps, F)  of any type, viewed as words of 32 bits
    const int64_t[::1] starts,     # IN  (B,)  where each sequence starts in the values
    const int64_t[::1] offsets,    # IN  (B + 1,)  running sum of the lengths, the longest first
    Py_ssize_t tile,
    int n_threads,
    int32_t[:, ::1] out,           # OUT (N, F)
):
    """The steps of a batch in the order in which the kernels meet them."""
    cdef Py_ssize_t B = starts.shape[0], F = values.shape[1], b
    cdef bint inside = True
    require(offsets.shape[0] == B + 1, "offsets must have one entry more than starts")
    require_layout(offsets, tile)
    require(out.shape[0] == offsets[B] and out.shape[1] == F, "out must have a row a transition")
    for b in range(B):
        inside &= (0 <= starts[b] <= values.shape[0]
                   and offsets[b + 1] - offsets[b] <= values.shape[0] - starts[b])
    require(inside, "sequences must lie in values")
    if out.shape[0] == 0 or F == 0:
        return
    cdef StepOrder work = StepOrder(&values[0, 0], &starts[0], &offsets[0], B, F, tile)
    # The cost is understated on purpose: workers should not be woken, or kept spinning, for this
    # small piece at the start of a training step. Beside neighbours they would lack the time later.
    with nogil:
        crnn_share(<crnn_piece> order_tile, &work, &out[0, 0], count_chunks(B, tile),
                   n_threads, 4 * out.shape[0] * F)


def mirror_steps(
    const int64_t[::1] offsets,  # IN  (B + 1,)  as in order_steps
    Py_ssize_t tile,
    int n_threads,
    int64_t[::1] blocks,         # WORK (N,)
    int64_t[::1] mirror,         # OUT (N,)
):
    """The transition that is each one's counterpart when its sequence is read backwards."""
    cdef Py_ssize_t N = mirror.shape[0], B = offsets.shape[0] - 1
    require_layout(offsets, tile)
    require(N == offsets[B] and blocks.shape[0] == N,
            "blocks and mirror must have one entry a transition")
    if N == 0:
        return
    cdef Mirror work = Mirror(&offsets[0], &blocks[0], B, tile)
    with nogil:
        crnn_share(<crnn_piece> mirror_tile, &work, &mirror[0], count_chunks(B, tile), n_threads,
                   32 * N)


cdef struct StepOrder:
    const int32_t *values
    const int64_t *starts
    const int64_t *offsets
    Py_ssize_t B, F, tile


cdef void order_tile(const StepOrder *work, int32_t *out, Py_ssize_t k) noexcept nogil:
    cdef Py_ssize_t first = k * work.tile, S = min(work.tile, work.B - first), F = work.F, m = 0
    cdef const int64_t *starts = work.starts + first
    cdef const int64_t *offsets = work.offsets + first
    cdef Py_ssize_t steps = offsets[1] - offsets[0], step, s, r
    out += offsets[0] * F
    for s in range(steps):
        m = running(offsets, S, m, steps - s)
        for r in range(m):
            step = starts[r] + offsets[r + 1] - offsets[r] - (steps - s)
            if F == 1:
                out[r] = work.values[step]
                if s % LINE == 0:  # processors foresee few of so many streams
                    crnn_prefetch(work.values + step + 2 * LINE, 1)
            else:
                memcpy(out + r * F, work.values + step * F, F * sizeof(int32_t))
        out += m * F


cdef struct Mirror:
    const int64_t *offsets
    int64_t *blocks
    Py_ssize_t B, tile


cdef void mirror_tile(const Mirror *work, int64_t *mirror, Py_ssize_t k) noexcept nogil:
    """Row r has l steps, from steps - l on: what is at s goes to 2 steps - l - 1 - s."""
    cdef Py_ssize_t first = k * work.tile, S = min(work.tile, work.B - first), m = 0, s, r
    cdef const int64_t *offsets = work.offsets + first
    cdef Py_ssize_t steps = offsets[1] - offsets[0], j = offsets[0]
    cdef int64_t *blocks = work.blocks + offsets[0]  # first transition of each step
    for s in range(steps):
        blocks[s] = j
        m = running(offsets, S, m, steps - s)
        j += m
    m, j = 0, offsets[0]
    for s in range(steps):
        m = running(offsets, S, m, steps - s)
        for r in range(m):
            mirror[j + r] = blocks[2 * steps - (offsets[r + 1] - offsets[r]) - 1 - s] + r
        j += m


cdef inline Py_ssize_t running(
    const int64_t *offsets, Py_ssize_t S, Py_ssize_t m, Py_ssize_t steps_left
) noexcept nogil:
    """m_s: the rows that have at least steps_left steps; m is a lower bound."""
    while m < S and offsets[m + 1] - offsets[m] >= steps_left:
        m += 1
    return m


def look_up(
    const int32_t[::1] values,     # IN  (n_steps,)
    const int64_t[::1] positions,  # IN  (N,)
    int n_threads,
    int32_t[::1] out,              # OUT (N,)
):
    """out[j] = values[positions[j]]"""
    cdef Py_ssize_t N = positions.shape[0]
    require(out.shape[0] == N, "out must fit positions")
    require_below(positions, values.shape[0], "positions")
    if N == 0:
        return
    cdef LookUp work = LookUp(&values[0], &positions[0], N)
    with nogil:
        crnn_share(<crnn_piece> look_up_chunk, &work, &out[0], count_chunks(N, COPIES), n_threads,
                   32 * N)


cdef struct LookUp:
    const int32_t *values
    const int64_t *positions
    Py_ssize_t N


cdef void look_up_chunk(const LookUp *work, int32_t *out, Py_ssize_t c) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(c * COPIES, min(work.N, (c + 1) * COPIES)):
        out[j] = work.values[work.positions[j]]


def distinct(
    int32_t[::1] slots,  # INOUT (V,)  all -1, on return too
    int32_t[::1] ids,    # OUT   (N,)  first D entries: distinct tokens as they appear
    int32_t[::1] rows,   # INOUT (N,)  tokens; on return ids[rows[j]] is what stood at j
):
    """Index the distinct tokens of a batch; returns their number D."""
    cdef Py_ssize_t N = rows.shape[0], V = slots.shape[0], D = 0, j, d
    cdef int32_t slot
    require(ids.shape[0] == N, "ids must fit rows")
    # The tokens were the user's own memory, which may have changed since it was checked.
    require_below(rows, V, "token ids in X, which has to stay as it is while it is read,")
    with nogil:
        for j in range(N):
            slot = slots[rows[j]]
            if slot < 0:
                slot = <int32_t> D
                slots[rows[j]] = slot
                ids[D] = rows[j]
                D += 1
            rows[j] = slot
        for d in range(D):
            slots[ids[d]] = -1
    return D


def gather(
    const floating[:, ::1] values,  # IN  (R, F)
    const index[::1] rows,          # IN  (N,)  in [0, R)
    int n_threads,
    floating[:, ::1] out,           # OUT (N, F)
):
    """out[j] = values[rows[j]]"""
    cdef Py_ssize_t N = rows.shape[0], F = values.shape[1]
    require(out.shape[0] == N and out.shape[1] == F, "out must fit values and rows")
    require_below(rows, values.shape[0], "rows")
    if N == 0 or F == 0:
        return
    cdef Gather work = Gather(&values[0, 0], &rows[0], sizeof(index) == 8, N, F)
    with nogil:
        crnn_share(<crnn_piece> gather_chunk[floating], &work, &out[0, 0],
                   count_chunks(N, CHUNK), n_threads, 16 * N * F)


cdef struct Gather:
    const void *values
    const void *rows
    bint long_rows
    Py_ssize_t N, F


cdef void gather_chunk(const Gather *work, floating *out, Py_ssize_t c) noexcept nogil:
    cdef Py_ssize_t j, row
    for j in range(c * CHUNK, min(work.N, (c + 1) * CHUNK)):
        if work.long_rows:
            row = (<const int64_t *> work.rows)[j]
        else:
            row = (<const int32_t *> work.rows)[j]
        memcpy(out + j * work.F, <const floating *> work.values + row * work.F,
               work.F * sizeof(floating))


def scatter_add(
    const floating[:, ::1] values,  # IN  (N, H)
    const int32_t[::1] rows,        # IN  (N,)  in [0, D)
    floating[:, ::1] out,           # OUT (D, H)
):
    """out[d] = sum of values[j] over all j with rows[j] = d, in ascending order of j."""
    cdef Py_ssize_t N = values.shape[0], H = out.shape[1]
    require(values.shape[1] == H and rows.shape[0] == N, "values, rows and out must agree")
    require_below(rows, out.shape[0], "rows")
    out[:, :] = 0
    if N > 0 and H > 0:
        with nogil:
            scatter_add_loop(N, &rows[0], H, &values[0, 0], &out[0, 0])
