# cython: language_level=3, wraparound=False, cdivision=True, freethreading_compatible=True
# cython: embedsignature=True, autotestdict=False
# Whether indices are checked is for setup.py to say: CRNN_DEBUG=1 makes a build that does.
"""The kernels: forward loop over timesteps, back-propagation through time, head, optimisers.

Design
------
A batch is a set of B sequences of unequal length, the longest first, which all END at the same
step. So the set of running sequences only grows as time runs forward, and the rows that one step
works on are one contiguous block. Sequences are cut into tiles of ``tile`` rows; a tile runs
through all its timesteps on its own, in one thread.

Within a tile of S rows and L steps (the length of its first row), let m_s be the number of rows
that have a state at time s, 0 <= s <= L; m_L = S. The tile's states are stored block after block,

    h_0 (m_0 rows), h_1 (m_1 rows), ..., h_L (S rows),

where the last m_s - m_{s-1} rows of block s are the initial states of the sequences that start
there. Row j of the states, in any block but the last, is the source of exactly one TRANSITION:
it becomes row j + m_s. Transition j has an input (a row of ``table``, named by ``rows[j]``) and a
pre-activation gradient. Hence

- a tile has as many transitions as its sequences have steps, and S states more;
- with ``offsets`` (B + 1,) the running sum of the lengths, a tile that begins with sequence r has
  its first transition at ``offsets[r]`` and its first state at ``offsets[r] + r``;
- the gradient of the recurrent kernel, sum_t h_{t-1}' da_t, is one product of two contiguous
  matrices of a tile.

The input of a step is a row of ``table`` = x W + b, projected by ``dense`` beforehand: for tokens
one row for each distinct token, for float series one row for each step.

Threads share out tiles, fixed groups of tiles or fixed chunks of rows; their sums are added up in
a fixed order. So no result depends on the number of threads. A kernel describes what is shared by a
struct, whose arrays are of ``floating`` unless they have a type, and hands it with a function that
computes one piece to ``crnn_share`` (see ``_c/pool.h``); denormal numbers count as zero meanwhile.

At these sizes a core computes faster than its caches deliver, so what is used again is used soon:
the gradient of a step goes into all sums that it is part of before it leaves the nearest caches.

``def`` functions check shapes and raise; below them nothing allocates, touches Python or raises.
Each has a NumPy twin of the same name and signature in ``_reference.py``. Letters: B batch,
T timesteps, F features, E embedding, H units, K outputs, V vocabulary; N transitions,
D distinct inputs (rows of the table).
"""

import os

from cython cimport floating
from libc.math cimport INFINITY, exp, fabs, log, log1p, pow, sqrt
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from crnn._c.loops cimport (
    CRNN_BLOCK,
    CRNN_LINEAR,
    CRNN_RELU,
    CRNN_SIGMOID,
    CRNN_TANH,
    CRNN_THREADS,
    activate,
    activate_backward,
    adam_loop,
    adam_without_gradient_loop,
    add,
    add_where,
    crnn_choose_variant,
    crnn_draw,
    crnn_flush_denormals,
    crnn_make_pool,
    crnn_piece,
    crnn_prefetch,
    crnn_restore,
    crnn_share,
    crnn_variant_name,
    drop_loop,
    keep_maxima,
    multiply,
    rmsprop_loop,
    scatter_add_loop,
)

cdef choose_variant():
    """The best instruction set of this machine, or the one that CRNN_SIMD names (for tests)."""
    cdef const char *pointer = NULL
    name = os.environ.get("CRNN_SIMD")
    wanted = None if name is None else name.encode()
    if wanted is not None:
        pointer = wanted
    if not crnn_choose_variant(pointer):
        raise ImportError(f"CRNN_SIMD={name!r} is none of the instruction sets of this machine; "
                          "unset it to have the best one chosen.")


ctypedef fused index:
    int32_t
    int64_t

choose_variant()
if not crnn_make_pool():
    raise MemoryError("no memory to register what a forked child has to do")
SIMD = crnn_variant_name().decode()
THREADS = CRNN_THREADS == 1
ACTIVATIONS = {
    "tanh": CRNN_TANH, "relu": CRNN_RELU, "sigmoid": CRNN_SIGMOID, "linear": CRNN_LINEAR
}


cdef enum:
    # Rows of a dense product that one thread takes at a time. Fixed: sums over chunks are part
    # of the result.
    CHUNK = 256
    # Transitions whose states and gradients stay in the caches nearest to a core until dU takes
    # them in.
    NEAR = 128
    MOST_GROUPS = 8
    # Numbers that are only copied or added, likewise.
    COPIES = 4096
    # Most rows wait for fewer steps than this; pow for the others costs as much as the update.
    N_POWERS = 64


cdef int require(bint condition, str message) except -1:
    if not condition:
        raise ValueError(message)
    return 0


cdef int require_below(const index[::1] x, Py_ssize_t bound, str name) except -1:
    """Refuse numbers of rows that are not there: the loops below read wherever they point.

    As two's complements, x or highest - x has its first bit set if x is out of range; and so has
    the union of all of them.
    """
    cdef Py_ssize_t n = x.shape[0], i
    cdef uint32_t bits = 0, highest = <uint32_t> (min(bound, <Py_ssize_t> 1 << 31) - 1)
    cdef uint64_t long_bits = 0, long_highest = <uint64_t> (bound - 1)
    with nogil:
        for i in range(n):
            if index is int32_t:
                bits |= <uint32_t> x[i] | (highest - <uint32_t> x[i])
            else:
                long_bits |= <uint64_t> x[i] | (long_highest - <uint64_t> x[i])
    if bits >> 31 or long_bits >> 63:
        raise ValueError(f"{name} must be at least 0 and below {bound}")
    return 0


cdef int require_like(const floating[:, ::1] x, const floating[:, ::1] weights) except -1:
    require(x.shape[0] == weights.shape[0] and x.shape[1] == weights.shape[1],
            "moments and velocities must fit weights")
    return 0


cdef int require_layout(const int64_t[::1] offsets, Py_ssize_t tile) except -1:
    """Refuse offsets that are no running sum of lengths, the longest first."""
    cdef Py_ssize_t B = offsets.shape[0] - 1, i
    cdef bint wrong = B < 0 or offsets[0] != 0
    for i in range(B):
        wrong |= offsets[i + 1] < offsets[i]
        wrong |= i > 0 and offsets[i + 1] - offsets[i] > offsets[i] - offsets[i - 1]
    require(not wrong, "offsets must be the running sum of lengths that descend, from 0 on")
    return require(tile >= 1, "tile must be at least 1")


cdef inline Py_ssize_t count_chunks(Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    return n // size + (n % size != 0)


def workspace_rows(Py_ssize_t n_rows, Py_ssize_t tile=CHUNK):
    """Number of partial sums that a kernel keeps for n_rows rows (sequences, with their tile)."""
    require(tile >= 1, "tile must be at least 1")
    return count_chunks(n_rows, tile)


# ---------------------------------------------------------------------------------------------
# Packing
# ---------------------------------------------------------------------------------------------


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
    const int64_t[::1] starts,   # IN  (B,)  where each sequence starts in the flat values
    const int64_t[::1] offsets,  # IN  (B + 1,)  running sum of the lengths, the longest first
    bint backwards,              # read each sequence from its last step to its first
    Py_ssize_t tile,
    int n_threads,
    int64_t[::1] positions,      # OUT (N,)  flat position of the input of each transition
):
    """Order in which the kernels meet the steps of a batch."""
    cdef Py_ssize_t B = starts.shape[0]
    require(offsets.shape[0] == B + 1, "offsets must have one entry more than starts")
    require_layout(offsets, tile)
    require(positions.shape[0] == offsets[B], "positions must have one entry a transition")
    if positions.shape[0] == 0:
        return
    cdef StepOrder work = StepOrder(&starts[0], &offsets[0], B, tile, backwards)
    with nogil:
        crnn_share(<crnn_piece> order_tile, &work, &positions[0], count_chunks(B, tile),
                   n_threads, 32 * positions.shape[0])


cdef struct StepOrder:
    const int64_t *starts
    const int64_t *offsets
    Py_ssize_t B, tile
    bint backwards


cdef void order_tile(const StepOrder *work, int64_t *positions, Py_ssize_t k) noexcept nogil:
    cdef Py_ssize_t first = k * work.tile, S = min(work.tile, work.B - first), m = 0, s, r, left
    cdef const int64_t *starts = work.starts + first
    cdef const int64_t *offsets = work.offsets + first
    cdef Py_ssize_t steps = offsets[1] - offsets[0]
    positions += offsets[0]
    for s in range(steps):
        m = running(offsets, S, m, steps - s)
        left = steps - 1 - s
        for r in range(m):
            positions[r] = starts[r] + (
                left if work.backwards else offsets[r + 1] - offsets[r] - 1 - left)
        positions += m


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
    const int32_t[::1] values,     # IN    (n_steps,)
    const int64_t[::1] positions,  # IN    (N,)  where the tokens of the batch stand in values
    int32_t[::1] slots,            # INOUT (V,)  all -1, on return too
    int32_t[::1] ids,              # OUT   (N,)  first D entries: distinct tokens as they appear
    int32_t[::1] rows,             # OUT   (N,)  values[positions[j]] == ids[rows[j]]
):
    """Index the distinct tokens of a batch; returns their number D.

    The tokens are the user's own memory, which may have changed since it was checked.
    """
    cdef Py_ssize_t N = positions.shape[0], V = slots.shape[0], D = 0, j, d
    cdef int32_t token = 0, slot
    cdef bint wrong = False
    require(ids.shape[0] == N and rows.shape[0] == N, "ids and rows must fit positions")
    require_below(positions, values.shape[0], "positions")
    with nogil:
        for j in range(N):
            token = values[positions[j]]
            if token < 0 or token >= V:
                wrong = True
                break
            slot = slots[token]
            if slot < 0:
                slot = <int32_t> D
                slots[token] = slot
                ids[D] = token
                D += 1
            rows[j] = slot
        for d in range(D):
            slots[ids[d]] = -1
    require(not wrong, f"the token {token} is not below {V}; leave X alone while it is read")
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


# ---------------------------------------------------------------------------------------------
# Dropout
# ---------------------------------------------------------------------------------------------


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
    int64_t[::1] places,         # OUT (N,)  first entries: where in values those stand that stay
    int64_t[::1] n_left,         # OUT (B,)  how many of each sequence stay
):
    """Leave tokens out; returns how many stay.

    Padding, the token 0, always stays, and so does the first other token of a sequence that would
    lose all of them.
    """
    cdef Py_ssize_t B = starts.shape[0], N = places.shape[0], b, i, place, left = 0, n = 0
    cdef Py_ssize_t first, first_place, n_words, is_word, kept
    cdef uint16_t[256] drawn
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
                places[left] = place  # without a branch, which nobody could foresee
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


# ---------------------------------------------------------------------------------------------
# Dense layers: the projection of the inputs, and the head
# ---------------------------------------------------------------------------------------------


def dense(
    const floating[:, ::1] inputs,  # IN  (D, F)
    const floating[:, ::1] kernel,  # IN  (F, H)
    const floating[::1] bias,       # IN  (H,)
    int n_threads,
    floating[:, ::1] out,           # OUT (D, H)
):
    """out = inputs kernel + bias"""
    cdef Py_ssize_t D = inputs.shape[0], F = inputs.shape[1], H = kernel.shape[1]
    require(kernel.shape[0] == F, "kernel must have a row for each input column")
    require(bias.shape[0] == H and out.shape[0] == D and out.shape[1] == H,
            "bias and out must fit inputs and kernel")
    if D == 0:
        return
    cdef Dense work = Dense(&inputs[0, 0], &kernel[0, 0], &bias[0], D, F, H)
    with nogil:
        crnn_share(<crnn_piece> dense_chunk[floating], &work, &out[0, 0], count_chunks(D, CHUNK),
                   n_threads, D * F * H)


cdef struct Dense:
    const void *inputs
    const void *kernel
    const void *bias
    Py_ssize_t D, F, H


cdef void dense_chunk(const Dense *work, floating *out, Py_ssize_t c) noexcept nogil:
    cdef Py_ssize_t d = c * CHUNK, F = work.F, H = work.H
    multiply(False, min(CHUNK, work.D - d), H, F, <const floating *> work.inputs + d * F,
             <const floating *> work.kernel, <const floating *> work.bias, NULL, 0, out + d * H)


def dense_backward(
    const floating[:, ::1] inputs,       # IN  (D, F)
    const floating[:, ::1] transposed,   # IN  (H, F)  W'
    const floating[:, ::1] grad_out,     # IN  (D, H)
    int n_threads,
    floating[:, :, ::1] partial_sums,    # WORK (workspace_rows(D), F + 1, H)
    floating[:, ::1] grad_inputs,        # OUT (D, F), or (0, F) if nobody asks for it
    floating[:, ::1] grad_kernel,        # OUT (F, H)
    floating[::1] grad_bias,             # OUT (H,)
):
    """Gradients of ``dense``: dX = dY W', dW = X' dY, db = sum of the rows of dY."""
    cdef Py_ssize_t D = inputs.shape[0], F = inputs.shape[1], H = transposed.shape[0], c
    cdef Py_ssize_t n_chunks = count_chunks(D, CHUNK)
    require(transposed.shape[1] == F and grad_out.shape[0] == D and grad_out.shape[1] == H,
            "transposed and grad_out must fit inputs")
    require((grad_inputs.shape[0] == 0 or grad_inputs.shape[0] == D)
            and grad_inputs.shape[1] == F and grad_kernel.shape[0] == F
            and grad_kernel.shape[1] == H and grad_bias.shape[0] == H,
            "the gradients must have the shapes of what they are of")
    require(partial_sums.shape[0] >= n_chunks and partial_sums.shape[1] == F + 1
            and partial_sums.shape[2] == H, "partial_sums must be (workspace_rows(D), F + 1, H)")
    grad_kernel[:, :] = 0
    grad_bias[:] = 0
    if D == 0:
        return
    cdef DenseBackward work = DenseBackward(
        &inputs[0, 0], &transposed[0, 0], &grad_out[0, 0], NULL, D, F, H)
    if grad_inputs.shape[0] > 0:
        work.grad_inputs = &grad_inputs[0, 0]
    with nogil:
        crnn_share(<crnn_piece> dense_backward_chunk[floating], &work, &partial_sums[0, 0, 0],
                   n_chunks, n_threads, 2 * D * F * H)
    for c in range(n_chunks):
        add(F * H, &partial_sums[c, 0, 0], &grad_kernel[0, 0])
        add(H, &partial_sums[c, F, 0], &grad_bias[0])


cdef struct DenseBackward:
    const void *inputs
    const void *transposed
    const void *grad_out
    void *grad_inputs  # or NULL
    Py_ssize_t D, F, H


cdef void dense_backward_chunk(
    const DenseBackward *work, floating *partial_sums, Py_ssize_t c
) noexcept nogil:
    cdef Py_ssize_t first = c * CHUNK, n = min(CHUNK, work.D - first), F = work.F, H = work.H, d
    cdef const floating *inputs = <const floating *> work.inputs + first * F
    cdef const floating *grad_out = <const floating *> work.grad_out + first * H
    cdef floating *grad_kernel = partial_sums + c * (F + 1) * H
    cdef floating *grad_bias = grad_kernel + F * H
    if work.grad_inputs != NULL:
        multiply[floating](False, n, F, H, grad_out, <const floating *> work.transposed, NULL, NULL,
                           0, <floating *> work.grad_inputs + first * F)
    multiply[floating](True, F, H, n, inputs, grad_out, NULL, NULL, 0, grad_kernel)
    memset(grad_bias, 0, H * sizeof(floating))
    for d in range(n):
        add(H, grad_out + d * H, grad_bias)


# ---------------------------------------------------------------------------------------------
# The recurrence
# ---------------------------------------------------------------------------------------------


def forward(
    const floating[:, ::1] table,             # IN  (D, H)  projected inputs, x W + b
    const int32_t[::1] rows,                  # IN  (N,)  row of the table for each transition
    const int64_t[::1] offsets,               # IN  (B + 1,)
    const floating[:, ::1] initial,           # IN  (I, H)
    const int32_t[::1] initial_rows,          # IN  (B,)  row of initial that a sequence starts from
    const floating[:, ::1] recurrent_kernel,  # IN  (H, H)
    int activation,
    Py_ssize_t tile,
    int n_threads,
    bint keep_states,
    bint ties,                                # the maximum is at the last of equal steps, not the
                                              #     first: for a sequence read backwards
    floating[:, ::1] states,                  # OUT (N + B, H), or WORK (2 B, H) if not kept
    floating[:, ::1] last,                    # OUT (B, H)
    floating[:, ::1] sums,                    # OUT (B, H), or (0, H) if nobody asks for them
    floating[:, ::1] maxima,                  # OUT (B, H), or (0, H)
    int32_t[:, ::1] at,                       # OUT like maxima, their time in the tile
):
    """Run h_t = f(x_t W + b + h_{t-1} U) through all steps of a batch.

    Sums and maxima are those of the states after the steps of each sequence; one without steps has
    the sum 0 and its initial state for a maximum.
    """
    cdef Py_ssize_t B = initial_rows.shape[0], H = table.shape[1], N
    require(offsets.shape[0] == B + 1, "offsets must have one entry more than initial_rows")
    N = offsets[B]
    require_layout(offsets, tile)
    require(rows.shape[0] >= N, "rows must have an entry for each transition")
    require_below(rows, table.shape[0], "rows")
    require_below(initial_rows, initial.shape[0], "initial_rows")
    require(0 <= activation <= CRNN_LINEAR, "activation must be one of ACTIVATIONS")
    require(recurrent_kernel.shape[0] == H and recurrent_kernel.shape[1] == H
            and initial.shape[1] == H and states.shape[1] == H and last.shape[1] == H,
            "table, initial, recurrent_kernel, states and last must have H columns")
    require(states.shape[0] >= (N + B if keep_states else 2 * B) and last.shape[0] == B,
            "states and last must have room for the batch")
    require(sums.shape[1] == H and maxima.shape[1] == H and at.shape[1] == H
            and (sums.shape[0] == 0 or sums.shape[0] == B)
            and (maxima.shape[0] == 0 or maxima.shape[0] == B) and at.shape[0] == maxima.shape[0],
            "sums, maxima and at must be like last, or have no rows")
    if B == 0 or H == 0:
        return
    cdef Forward work = Forward(
        NULL, NULL, &offsets[0], &initial[0, 0], &initial_rows[0], &recurrent_kernel[0, 0],
        &last[0, 0], NULL, NULL, NULL, B, H, tile, activation, keep_states, ties)
    if sums.shape[0] > 0:
        work.sums = &sums[0, 0]
    if maxima.shape[0] > 0:
        work.maxima, work.at = &maxima[0, 0], &at[0, 0]
    if N > 0:
        work.table, work.rows = &table[0, 0], &rows[0]
    with nogil:
        crnn_share(<crnn_piece> forward_tile[floating], &work, &states[0, 0],
                   count_chunks(B, tile), n_threads, N * H * H)


cdef struct Forward:
    const void *table
    const int32_t *rows
    const int64_t *offsets
    const void *initial
    const int32_t *initial_rows
    const void *recurrent_kernel
    void *last
    void *sums    # or NULL
    void *maxima  # or NULL
    int32_t *at
    Py_ssize_t B, H, tile
    int activation
    bint keep_states, ties


cdef void forward_tile(const Forward *work, floating *states, Py_ssize_t k) noexcept nogil:
    cdef Py_ssize_t first = k * work.tile, S = min(work.tile, work.B - first), H = work.H
    cdef const int64_t *offsets = work.offsets + first
    cdef const int32_t *rows = work.rows + offsets[0]
    cdef Py_ssize_t steps = offsets[1] - offsets[0], m = 0, n_running, s, r
    cdef floating *current = states + (offsets[0] + first if work.keep_states else 2 * first) * H
    cdef floating *turns = current
    cdef floating *following
    cdef floating *sums = <floating *> work.sums
    cdef floating *maxima = <floating *> work.maxima
    cdef int32_t *at = work.at
    if sums != NULL:
        sums += first * H
        memset(sums, 0, S * H * sizeof(floating))
    if maxima != NULL:
        maxima, at = maxima + first * H, at + first * H
        memset(at, 0, S * H * sizeof(int32_t))
        for r in range(S * H):
            maxima[r] = -INFINITY
    for s in range(steps + 1):
        n_running = running(offsets, S, m, steps - s)
        for r in range(m, n_running):
            memcpy(current + r * H,
                   <const floating *> work.initial + work.initial_rows[first + r] * H,
                   H * sizeof(floating))
        m = n_running
        if s == steps:
            break
        # States that nobody asks for take turns in two blocks of S rows.
        if work.keep_states:
            following = current + m * H
        else:
            following = turns + (S * H if current == turns else 0)
        if s + 1 < steps:  # what these rows will need next
            for r in range(m):
                crnn_prefetch(<const floating *> work.table + rows[m + r] * H,
                              H * sizeof(floating))
        multiply(False, m, H, H, current, <const floating *> work.recurrent_kernel,
                 <const floating *> work.table, rows, H, following)
        activate(work.activation, m * H, following)
        if sums != NULL:
            add(m * H, following, sums)
        if maxima != NULL:
            keep_maxima[floating](work.ties, m * H, <int32_t> (s + 1), following, maxima, at)
        rows += m
        current = following
    memcpy(<floating *> work.last + first * H, current, S * H * sizeof(floating))
    if maxima != NULL:  # rows without steps come last
        r = running(offsets, S, 0, 1)
        memcpy(maxima + r * H, current + r * H, (S - r) * H * sizeof(floating))


def backward_work(Py_ssize_t B, Py_ssize_t tile, Py_ssize_t H, Py_ssize_t D):
    """Shape of the work space that ``backward`` needs for B sequences and a table of D rows."""
    require(tile >= 1, "tile must be at least 1")
    return count_groups(count_chunks(B, tile)), NEAR + tile + H + D, H


cdef inline Py_ssize_t count_groups(Py_ssize_t n_tiles) noexcept nogil:
    """Groups that share the tiles out: 1, 2, 4 or 8, with three tiles or more each from 4 on.

    A power of two suits most machines. Each group has to clear and to hand over a table.
    """
    if n_tiles < 12:
        return min(n_tiles, 2)
    return 4 if n_tiles < 24 else MOST_GROUPS


def backward(
    const floating[:, ::1] states,            # IN  (N + B, H)  as kept by forward
    const int64_t[::1] offsets,               # IN  (B + 1,)
    const floating[:, ::1] transposed,        # IN  (H, H)  U'
    const floating[:, ::1] grad_last,         # IN  (B, H)  gradient of the last states
    const floating[:, ::1] grad_states,       # IN  (N + B, H) of every state, or (0, H) for none
    const floating[:, ::1] grad_sums,         # IN  (B, H), or (0, H) for none
    const floating[:, ::1] grad_maxima,       # IN  (B, H), or (0, H)
    const int32_t[:, ::1] at,                 # IN  like grad_maxima, as forward gives it
    const int32_t[::1] rows,                  # IN  (N,) of the table as in forward, or (0,): each
                                              #     transition has a row of its own, so D = N
    int activation,
    Py_ssize_t tile,
    int n_threads,
    floating[:, :, ::1] work,                 # WORK backward_work(B, tile, H, D), or D = 0 if rows
                                              #      are (0,)
    floating[:, ::1] grad_table,              # OUT (D, H)
    floating[:, ::1] grad_initial,            # OUT (B, H)
    floating[:, ::1] grad_recurrent_kernel,   # OUT (H, H)
):
    """Back-propagation through time.

    With a_t = x_t W + b + h_{t-1} U and the gradient dh_t of the loss by h_t:
    da_t = dh_t f'(a_t),  dh_{t-1} = da_t U' (+ what comes in at t - 1),  dU = sum_t h_{t-1}' da_t,
    and the gradient of a row of the table is the sum of da_t over the transitions that read it.

    Tiles are shared out to a fixed number of groups, of which each sums up on its own.
    """
    cdef Py_ssize_t B = grad_last.shape[0], H = transposed.shape[0], D = grad_table.shape[0], N
    cdef Py_ssize_t n_groups, g
    cdef bint every_step = grad_states.shape[0] > 0, scattered = rows.shape[0] > 0
    cdef bint summed = grad_sums.shape[0] > 0, maximal = grad_maxima.shape[0] > 0
    require(offsets.shape[0] == B + 1, "offsets must have one entry more than grad_last")
    require_layout(offsets, tile)
    require(0 <= activation <= CRNN_LINEAR, "activation must be one of ACTIVATIONS")
    require_below(rows, D, "rows")
    N = offsets[B]
    n_groups = count_groups(count_chunks(B, tile))
    require(transposed.shape[1] == H and states.shape[1] == H and grad_last.shape[1] == H
            and grad_states.shape[1] == H and grad_table.shape[1] == H
            and grad_initial.shape[1] == H and grad_recurrent_kernel.shape[0] == H
            and grad_recurrent_kernel.shape[1] == H, "all arrays must have H columns")
    require(states.shape[0] >= N + B and (not every_step or grad_states.shape[0] == N + B)
            and rows.shape[0] >= (N if scattered else 0) and grad_table.shape[0] >= (
                0 if scattered else N) and grad_initial.shape[0] == B,
            "states and gradients must have the rows of the batch")
    require(grad_sums.shape[1] == H and grad_maxima.shape[1] == H and at.shape[1] == H
            and (not summed or grad_sums.shape[0] == B)
            and (not maximal or grad_maxima.shape[0] == B) and at.shape[0] == grad_maxima.shape[0],
            "grad_sums, grad_maxima and at must be like grad_last, or have no rows")
    require(work.shape[0] >= n_groups and work.shape[2] == H
            and work.shape[1] == NEAR + tile + H + (D if scattered else 0),
            "work must have the shape that backward_work gives")
    grad_recurrent_kernel[:, :] = 0
    if B == 0 or H == 0:
        grad_table[:, :] = 0
        return
    cdef Backward job = Backward(
        &states[0, 0], &offsets[0], &transposed[0, 0], &grad_last[0, 0], NULL, NULL, NULL, NULL,
        NULL, NULL, &grad_initial[0, 0], B, H, D if scattered else 0, tile, n_groups, activation)
    if every_step:
        job.grad_states = &grad_states[0, 0]
    if summed:
        job.grad_sums = &grad_sums[0, 0]
    if maximal:
        job.grad_maxima, job.at = &grad_maxima[0, 0], &at[0, 0]
    if scattered:
        job.rows = &rows[0]
    elif D > 0:
        job.grad_table = &grad_table[0, 0]
    with nogil:
        crnn_share(<crnn_piece> backward_group[floating], &job, &work[0, 0, 0], n_groups,
                   n_threads, 2 * N * H * H)
    for g in range(n_groups):
        add(H * H, &work[g, NEAR + tile, 0], &grad_recurrent_kernel[0, 0])
    cdef Tables tables
    if scattered:
        tables = Tables(&work[0, NEAR + tile + H, 0], work.shape[1] * H, n_groups, D * H)
        with nogil:
            crnn_share(<crnn_piece> sum_tables[floating], &tables, &grad_table[0, 0],
                       count_chunks(D * H, COPIES), n_threads, 16 * D * H)


cdef struct Tables:
    const void *first
    Py_ssize_t stride, n_tables, n


cdef void sum_tables(const Tables *work, floating *out, Py_ssize_t c) noexcept nogil:
    cdef Py_ssize_t first = c * COPIES, n = min(COPIES, work.n - first), g
    cdef const floating *table = <const floating *> work.first + first
    memcpy(out + first, table, n * sizeof(floating))
    for g in range(1, work.n_tables):
        add(n, table + g * work.stride, out + first)


cdef struct Backward:
    const void *states
    const int64_t *offsets
    const void *transposed
    const void *grad_last
    const void *grad_states  # of every state, or NULL
    const void *grad_sums    # or NULL
    const void *grad_maxima  # or NULL
    const int32_t *at
    const int32_t *rows      # of the table that is scattered to, or NULL
    void *grad_table         # where it is not scattered to
    void *grad_initial
    Py_ssize_t B, H, D, tile, n_groups
    int activation


cdef void backward_group(const Backward *job, floating *work, Py_ssize_t group) noexcept nogil:
    cdef Py_ssize_t B = job.B, H = job.H, D = job.D, tile = job.tile, k, r, g, lightest
    cdef Py_ssize_t[MOST_GROUPS] loads
    cdef floating *steps = work + group * (NEAR + tile + H + D) * H
    cdef floating *sums = steps + (NEAR + tile) * H  # dU, and the table if there is one
    memset(&loads[0], 0, sizeof(loads))
    memset(sums, 0, (H + D) * H * sizeof(floating))
    for k in range(count_chunks(B, tile)):
        r = k * tile
        # Tiles get shorter and shorter; each goes to the group that has the fewest steps so far.
        lightest = 0
        for g in range(1, job.n_groups):
            if loads[g] < loads[lightest]:
                lightest = g
        loads[lightest] += job.offsets[min(r + tile, B)] - job.offsets[r]
        if lightest == group:
            backward_tile(job, r, steps, sums, sums + H * H)


cdef void backward_tile(
    const Backward *job, Py_ssize_t first, floating *grad_steps, floating *grad_recurrent_kernel,
    floating *table
) noexcept nogil:
    cdef const int64_t *offsets = job.offsets + first
    cdef Py_ssize_t S = min(job.tile, job.B - first), H = job.H, start = offsets[0]
    cdef Py_ssize_t steps = offsets[1] - start, N = offsets[S] - start, m = S, s
    cdef Py_ssize_t state = N, transition = N  # first rows of the block at hand
    cdef Py_ssize_t done = N  # transitions from here on have their part in all sums
    cdef const floating *states = <const floating *> job.states + (start + first) * H
    cdef const floating *incoming = <const floating *> job.grad_states
    cdef const floating *grad_sums = <const floating *> job.grad_sums
    cdef const floating *grad_maxima = <const floating *> job.grad_maxima
    cdef const int32_t *at = job.at
    cdef floating *grad_initial = <floating *> job.grad_initial + first * H
    cdef const int32_t *rows = job.rows
    cdef floating *da
    if incoming != NULL:
        incoming += (start + first) * H
    if grad_sums != NULL:
        grad_sums += first * H
    if grad_maxima != NULL:
        grad_maxima, at = grad_maxima + first * H, at + first * H
    if rows != NULL:
        rows += start
    else:
        grad_steps = <floating *> job.grad_table + start * H
    # grad_initial holds dh_s for the rows that run at time s. A row that starts at s is not
    # touched by earlier steps, so what stands there in the end is the gradient of h_0.
    memcpy(grad_initial, <const floating *> job.grad_last + first * H, S * H * sizeof(floating))
    for s in range(steps, -1, -1):
        if incoming != NULL:
            add(m * H, incoming + state * H, grad_initial)
        if s == 0:
            break
        m = earlier(offsets, m, steps - s + 1)
        if grad_sums != NULL:
            add(m * H, grad_sums, grad_initial)
        if grad_maxima != NULL:
            add_where(m * H, <int32_t> s, at, grad_maxima, grad_initial)
        transition -= m
        # Scattered gradients only stand in grad_steps, NEAR + S rows, until they are summed up.
        da = grad_steps + (transition if rows == NULL else NEAR + S - (done - transition)) * H
        crnn_prefetch(states + (state - m) * H, m * H * sizeof(floating))
        activate_backward(job.activation, m * H, states + state * H, grad_initial, da)
        multiply[floating](False, m, H, H, da, <const floating *> job.transposed, NULL, NULL, 0,
                           grad_initial)
        state -= m
        if done - transition >= NEAR or s == 1:
            multiply(True, H, H, done - transition, states + transition * H, da,
                     grad_recurrent_kernel, NULL, H, grad_recurrent_kernel)
            if rows != NULL:
                scatter_add_loop(done - transition, rows + transition, H, da, table)
            done = transition


cdef inline Py_ssize_t earlier(
    const int64_t *offsets, Py_ssize_t m, Py_ssize_t steps_left
) noexcept nogil:
    """m_s as ``running`` gives it, where m is an upper bound."""
    while m > 0 and offsets[m] - offsets[m - 1] < steps_left:
        m -= 1
    return m


# ---------------------------------------------------------------------------------------------
# Losses
# ---------------------------------------------------------------------------------------------


def sigmoid_cross_entropy(
    const floating[:, ::1] logits,    # IN  (B, K)
    const floating[:, ::1] targets,   # IN  (B, K)  0 or 1
    const floating[::1] weights,      # IN  (B,)
    double normalizer,
    floating[:, ::1] grad_logits,     # OUT (B, K)  gradient of the weighted sum / normalizer
):
    """Binary cross-entropy from the logit, averaged over the K outputs.

    With p = 1 / (1 + exp(-z)), -y log p - (1 - y) log(1 - p) is
    max(z, 0) - z y + log(1 + exp(-|z|)), which neither overflows nor needs clipping; its
    derivative is p - y. Returns the weighted sums of the loss and of the correct outputs
    (p > 0.5), each averaged over K.
    """
    cdef Py_ssize_t B = logits.shape[0], K = logits.shape[1], i, j
    cdef double loss = 0, correct = 0, z, y, e, p
    require(targets.shape[0] == B and targets.shape[1] == K and weights.shape[0] == B
            and grad_logits.shape[0] == B and grad_logits.shape[1] == K,
            "targets, weights and grad_logits must fit logits")
    with nogil:
        for i in range(B):
            for j in range(K):
                z = logits[i, j]
                y = targets[i, j]
                e = exp(-fabs(z))
                p = 1 / (1 + e) if z >= 0 else e / (1 + e)
                loss += weights[i] * ((z if z > 0 else 0) - z * y + log1p(e)) / K
                correct += weights[i] * ((z > 0) == (y > 0.5)) / K
                grad_logits[i, j] = <floating> (weights[i] * (p - y) / (normalizer * K))
    return loss, correct


def softmax_cross_entropy(
    const floating[:, ::1] logits,  # IN  (B, K)
    const int32_t[::1] targets,     # IN  (B,)  class numbers
    const floating[::1] weights,    # IN  (B,)
    double normalizer,
    floating[:, ::1] grad_logits,   # OUT (B, K)  gradient of the weighted sum / normalizer
):
    """Softmax cross-entropy, log sum_k exp(z_k) - z_y, with derivative softmax(z) - onehot(y).

    Returns the weighted sums of the loss and of the correct predictions (the first largest logit).
    """
    cdef Py_ssize_t B = logits.shape[0], K = logits.shape[1], i, j, best
    cdef double loss = 0, correct = 0, total, largest
    require(targets.shape[0] == B and weights.shape[0] == B
            and grad_logits.shape[0] == B and grad_logits.shape[1] == K,
            "targets, weights and grad_logits must fit logits")
    require(K > 0 or B == 0, "logits must have a column")
    require_below(targets, K, "targets")
    with nogil:
        for i in range(B):
            best = 0
            for j in range(1, K):
                if logits[i, j] > logits[i, best]:
                    best = j
            largest = logits[i, best]
            total = 0
            for j in range(K):
                total += exp(logits[i, j] - largest)
            for j in range(K):
                grad_logits[i, j] = <floating> (
                    weights[i] * (exp(logits[i, j] - largest) / total - (j == targets[i]))
                    / normalizer)
            loss += weights[i] * (log(total) + largest - logits[i, targets[i]])
            correct += weights[i] * (best == targets[i])
    return loss, correct


def squared_error(
    const floating[:, ::1] logits,   # IN  (B, K)  the predictions: the head has no activation
    const floating[:, ::1] targets,  # IN  (B, K)
    const floating[::1] weights,     # IN  (B,)
    double normalizer,
    floating[:, ::1] grad_logits,    # OUT (B, K)  gradient of the weighted sum / normalizer
):
    """(z - y)^2, averaged over the K outputs, with derivative 2 (z - y) / K.

    Returns the weighted sums of the loss and of |z - y|, averaged over K as well.
    """
    cdef Py_ssize_t B = logits.shape[0], K = logits.shape[1], i, j
    cdef double loss = 0, distance = 0, d
    require(targets.shape[0] == B and targets.shape[1] == K and weights.shape[0] == B
            and grad_logits.shape[0] == B and grad_logits.shape[1] == K,
            "targets, weights and grad_logits must fit logits")
    with nogil:
        for i in range(B):
            for j in range(K):
                d = <double> logits[i, j] - targets[i, j]
                loss += weights[i] * d * d / K
                distance += weights[i] * fabs(d) / K
                grad_logits[i, j] = <floating> (2 * weights[i] * d / (normalizer * K))
    return loss, distance


# ---------------------------------------------------------------------------------------------
# Optimisers
# ---------------------------------------------------------------------------------------------


def rmsprop(
    floating[:, ::1] weights,       # INOUT (R, C)
    const floating[:, ::1] grads,   # IN    (D, C)
    floating[:, ::1] velocities,    # INOUT (R, C)  running mean of the squared gradient
    const int32_t[::1] ids,         # IN    (D,)  distinct rows that the gradients belong to
    int64_t[::1] touched,           # INOUT (R,)  step at which each row was last updated
    int64_t step,                   # number of this step, from 1
    double learning_rate,
    double rho,
    double epsilon,
    int n_threads,
):
    """v := rho v + (1 - rho) g^2,  w := w - lr g / sqrt(v + epsilon), for the rows in ids.

    A row without gradient keeps w, while its v decays by rho. So a row that sat out k - 1 steps
    is brought up to date by rho**k at its next gradient, and the result is that of the dense
    update. (Keras: epsilon stands inside the root.)
    """
    cdef Py_ssize_t D = ids.shape[0], C = weights.shape[1], c
    cdef double[N_POWERS] powers
    require(grads.shape[0] == D and grads.shape[1] == C and velocities.shape[1] == C
            and velocities.shape[0] == weights.shape[0]
            and touched.shape[0] == weights.shape[0],
            "grads, velocities and touched must fit weights")
    require_below(ids, weights.shape[0], "ids")
    if D == 0 or C == 0:
        return
    for c in range(N_POWERS):
        powers[c] = pow(rho, <double> c)
    cdef Rmsprop work = Rmsprop(
        &grads[0, 0], &velocities[0, 0], &ids[0], &touched[0], &powers[0], D, C, step,
        learning_rate, rho, epsilon)
    with nogil:
        crnn_share(<crnn_piece> rmsprop_chunk[floating], &work, &weights[0, 0],
                   count_chunks(D, CHUNK), n_threads, 32 * D * C)


cdef struct Rmsprop:
    const void *grads
    void *velocities
    const int32_t *ids
    int64_t *touched
    const double *powers
    Py_ssize_t D, C
    int64_t step
    double learning_rate, rho, epsilon


cdef void rmsprop_chunk(const Rmsprop *work, floating *weights, Py_ssize_t c) noexcept nogil:
    cdef Py_ssize_t d, row, C = work.C
    cdef int64_t waited
    cdef double decay
    for d in range(c * CHUNK, min(work.D, (c + 1) * CHUNK)):
        row = work.ids[d]
        waited = work.step - work.touched[row]
        decay = work.powers[waited] if 0 <= waited < N_POWERS else pow(work.rho, <double> waited)
        work.touched[row] = work.step
        rmsprop_loop(C, <floating> work.learning_rate, <floating> decay, <floating> (1 - work.rho),
                     <floating> work.epsilon, <const floating *> work.grads + d * C,
                     <floating *> work.velocities + row * C, weights + row * C)


def sgd(
    floating[::1] weights,      # INOUT (P,)
    const floating[::1] grads,  # IN    (P,)
    floating[::1] velocities,   # INOUT (P,)
    double learning_rate,
    double momentum,
    bint nesterov,
):
    """m := momentum m - lr g,  w := w + m, or w := w + momentum m - lr g by Nesterov."""
    cdef Py_ssize_t P = weights.shape[0], i
    cdef floating rate = <floating> learning_rate, inertia = <floating> momentum
    cdef uint64_t control
    require(grads.shape[0] == P and velocities.shape[0] == P, "all arrays must have one length")
    with nogil:
        control = crnn_flush_denormals()
        for i in range(P):
            velocities[i] = inertia * velocities[i] - rate * grads[i]
            if nesterov:
                weights[i] += inertia * velocities[i] - rate * grads[i]
            else:
                weights[i] += velocities[i]
        crnn_restore(control)


def adam(
    floating[:, ::1] weights,       # INOUT (R, C)
    const floating[:, ::1] grads,   # IN    (D, C)
    floating[:, ::1] moments,       # INOUT (R, C)  running mean of the gradient
    floating[:, ::1] velocities,    # INOUT (R, C)  running mean of its square
    const int32_t[::1] ids,         # IN    (D,)  distinct rows that the gradients belong to
    int64_t step,                   # number of this step, from 1
    double learning_rate,
    double beta_1,
    double beta_2,
    double epsilon,
    int n_threads,
):
    """w := w - lr sqrt(1 - beta_2^step) / (1 - beta_1^step) m / (sqrt(v) + epsilon)

    The form of Keras (and of the end of section 2 of Kingma and Ba): epsilon beside the root of
    the uncorrected v. Rows that are not in ids have to be brought up to date by
    ``adam_without_gradient`` before they are read.
    """
    cdef Py_ssize_t D = ids.shape[0], C = weights.shape[1]
    cdef double rate = (learning_rate * sqrt(1 - pow(beta_2, <double> step))
                        / (1 - pow(beta_1, <double> step)))
    require(grads.shape[0] == D and grads.shape[1] == C, "grads must fit weights and ids")
    require_like(moments, weights)
    require_like(velocities, weights)
    require_below(ids, weights.shape[0], "ids")
    if D == 0 or C == 0:
        return
    cdef Adam work = Adam(
        &grads[0, 0], &moments[0, 0], &velocities[0, 0], &ids[0], D, C, rate, beta_1, beta_2,
        epsilon, NULL, NULL, NULL, 0, 0)
    with nogil:
        crnn_share(<crnn_piece> adam_chunk[floating], &work, &weights[0, 0],
                   count_chunks(D, CHUNK), n_threads, 48 * D * C)


cdef struct Adam:
    const void *grads
    void *moments
    void *velocities
    const int32_t *ids
    Py_ssize_t D, C
    double rate, beta_1, beta_2, epsilon
    # Of rows without gradient:
    int64_t *touched
    const double *sums
    const double *decays
    int64_t n_decays, step


cdef void adam_chunk(const Adam *work, floating *weights, Py_ssize_t c) noexcept nogil:
    cdef Py_ssize_t d, at, C = work.C
    for d in range(c * CHUNK, min(work.D, (c + 1) * CHUNK)):
        at = work.ids[d] * C
        adam_loop(C, <floating> work.rate, <floating> work.beta_1, <floating> (1 - work.beta_1),
                  <floating> work.beta_2, <floating> (1 - work.beta_2), <floating> work.epsilon,
                  <const floating *> work.grads + d * C, <floating *> work.moments + at,
                  <floating *> work.velocities + at, weights + at)


def adam_without_gradient(
    floating[:, ::1] weights,       # INOUT (R, C)
    floating[:, ::1] moments,       # INOUT (R, C)
    floating[:, ::1] velocities,    # INOUT (R, C)
    const int32_t[::1] ids,         # IN    (D,)  distinct rows to bring up to date
    int64_t[::1] touched,           # INOUT (R,)  step up to which each row is, from 0
    const double[:, ::1] sums,      # IN    (S, 3)  for each step, over those after it: see below
    const double[:, ::1] decays,    # IN    (L, 2)  powers of beta_1 and beta_2, from 0 to L - 1
    int64_t step,                   # step to bring them to, below S
    double epsilon,
    int n_threads,
):
    """All steps that a row sat out, in one.

    Without a gradient, m is beta_1^j m and v is beta_2^j v after j steps. So from step s to t the
    dense update moves w by - sum_j rate_{s+j} beta_1^j m / (beta_2^{j/2} sqrt(v) + epsilon), or

        - sum_j p_j m / (sqrt(v) + epsilon d_j),
        p_j = rate_{s+j} (beta_1 / sqrt(beta_2))^j,   d_j = beta_2^{-j/2}.

    Row s of the sums has those of p, p d and p d^2 over j. About the mean c of the d_j, whose
    variance is b, all weighted with p, the first order of the expansion vanishes. With
    x = sqrt(v) + epsilon c

        - sum(p) m / x (1 + b (epsilon / x)^2)

    remains. Where m is not yet forgotten the d_j differ by a hundredth at most, so what is left out
    is below rounding: about 1e-7 where v is zero, and (epsilon / x)^3 times that elsewhere.
    After L steps m is forgotten.
    """
    cdef Py_ssize_t D = ids.shape[0], C = weights.shape[1], d
    require_like(moments, weights)
    require_like(velocities, weights)
    require(touched.shape[0] == weights.shape[0], "touched must fit weights")
    require(sums.shape[1] == 3 and 0 <= step < sums.shape[0], "sums must reach up to step")
    require(decays.shape[1] == 2 and decays.shape[0] > 1, "decays must have two columns")
    require_below(ids, weights.shape[0], "ids")
    if D == 0 or C == 0:
        return
    for d in range(D):
        require(0 <= touched[ids[d]] <= step, "touched must be steps up to step")
    cdef Adam work = Adam(
        NULL, &moments[0, 0], &velocities[0, 0], &ids[0], D, C, 0, decays[1, 0], decays[1, 1],
        epsilon, &touched[0], &sums[0, 0], &decays[0, 0], decays.shape[0], step)
    with nogil:
        crnn_share(<crnn_piece> adam_without_gradient_chunk[floating], &work, &weights[0, 0],
                   count_chunks(D, CHUNK), n_threads, 48 * D * C)


cdef void adam_without_gradient_chunk(
    const Adam *work, floating *weights, Py_ssize_t c
) noexcept nogil:
    cdef Py_ssize_t d, at, C = work.C
    cdef int64_t since, waited
    cdef double p, mean, variance, decay_1, decay_2
    for d in range(c * CHUNK, min(work.D, (c + 1) * CHUNK)):
        since = work.touched[work.ids[d]]
        if since == work.step:
            continue
        work.touched[work.ids[d]] = work.step
        waited = work.step - since
        decay_1 = work.decays[2 * waited] if waited < work.n_decays else 0
        decay_2 = (work.decays[2 * waited + 1] if waited < work.n_decays
                   else pow(work.beta_2, <double> waited))
        p = work.sums[3 * since]
        mean = work.sums[3 * since + 1] / p if p > 0 else 1
        variance = work.sums[3 * since + 2] / p - mean * mean if p > 0 else 0
        at = work.ids[d] * C
        adam_without_gradient_loop(
            C, <floating> p, <floating> (work.epsilon * mean),
            <floating> (variance * work.epsilon * work.epsilon),
            <floating> decay_1, <floating> decay_2, <floating *> work.moments + at,
            <floating *> work.velocities + at, weights + at)
