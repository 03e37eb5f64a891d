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

The input of a step is a row of ``table`` = x W + b, projected by ``dense`` beforehand for each
distinct token. Where each step has a row x of its own, as in float series, the loop projects it on
its way, which spares writing and reading a table of N rows.

Threads share out tiles, fixed groups of tiles or fixed chunks of rows; their sums are added up in
a fixed order. So no result depends on the number of threads. A kernel describes what is shared by a
struct, whose arrays are of ``floating`` unless they have a type, and hands it with a function that
computes one piece to ``crnn_share`` (see ``_c/pool.h``); denormal numbers count as zero meanwhile.

At these sizes a core computes faster than its caches deliver, so what is used again is used soon:
the gradient of a step goes into all sums that it is part of before it leaves the nearest caches.

The recurrence is in this file; the other kernels are included from ``_c/*.pxi``.

``def`` functions check shapes and raise; below them nothing allocates, touches Python or raises.
Each has a NumPy twin of the same name and signature in ``_reference.py``. Letters: B batch,
T timesteps, F features, E embedding, H units, K outputs, V vocabulary; N transitions,
D distinct inputs (rows of the table).
"""

import os

from cython cimport floating
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from crnn._c.loops cimport (
    CRNN_LINEAR,
    CRNN_RELU,
    CRNN_SIGMOID,
    CRNN_TANH,
    CRNN_THREADS,
    activate,
    activate_backward,
    add,
    add_where,
    crnn_choose_variant,
    crnn_make_pool,
    crnn_piece,
    crnn_prefetch,
    crnn_share,
    crnn_variant_name,
    keep_maxima,
    multiply,
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
    # Ids in a line of most caches.
    LINE = 16


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


include "_c/packing.pxi"
include "_c/dropout.pxi"
include "_c/dense.pxi"
include "_c/losses.pxi"
include "_c/optimizers.pxi"


def forward(
    const floating[:, ::1] table,             # IN  (D, H)  projected inputs, x W + b; or only b
    const int32_t[::1] rows,                  # IN  (N,)  row of the table for each transition
    const floating[:, ::1] inputs,            # IN  (0, F)  or, in place of rows, x of each, (N, F)
    const floating[:, ::1] kernel,            # IN  (F, H)  W
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
    int32_t[:, ::1] at,                       # OUT like maxima, their time in the tile; or (0, H)
):
    """Run h_t = f(x_t W + b + h_{t-1} U) through all steps of a batch.

    Sums and maxima are those of the states after the steps of each sequence; one without steps has
    the sum 0 and its initial state for a maximum.
    """
    cdef Py_ssize_t B = initial_rows.shape[0], H = table.shape[1], N
    require(offsets.shape[0] == B + 1, "offsets must have one entry more than initial_rows")
    N = offsets[B]
    require_layout(offsets, tile)
    require(inputs.shape[0] == 0 or (inputs.shape[0] == N and table.shape[0] == 1),
            "inputs must have a row for each transition, and table be the bias; or none")
    require(kernel.shape[0] == inputs.shape[1] and kernel.shape[1] == H,
            "kernel must fit inputs and table")
    require(inputs.shape[0] > 0 or rows.shape[0] >= N,
            "rows must have an entry for each transition")
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
            and (maxima.shape[0] == 0 or maxima.shape[0] == B)
            and (at.shape[0] == 0 or at.shape[0] == maxima.shape[0]),
            "sums, maxima and at must be like last, or have no rows")
    if B == 0 or H == 0:
        return
    cdef Forward work = Forward(
        NULL, NULL, NULL, NULL, &offsets[0], &initial[0, 0], &initial_rows[0],
        &recurrent_kernel[0, 0], &last[0, 0], NULL, NULL, NULL, B, inputs.shape[1], H, tile,
        activation, keep_states, ties)
    if sums.shape[0] > 0:
        work.sums = &sums[0, 0]
    if maxima.shape[0] > 0:
        work.maxima = &maxima[0, 0]
    if at.shape[0] > 0:
        work.at = &at[0, 0]
    if N > 0:
        work.table = &table[0, 0]
    if inputs.shape[0] > 0:
        work.inputs, work.kernel = &inputs[0, 0], &kernel[0, 0]
    elif N > 0:
        work.rows = &rows[0]
    with nogil:
        crnn_share(<crnn_piece> forward_tile[floating], &work, &states[0, 0],
                   count_chunks(B, tile), n_threads, N * (inputs.shape[1] + H) * H)


cdef struct Forward:
    const void *table
    const int32_t *rows  # or NULL: each transition has a row of inputs
    const void *inputs
    const void *kernel
    const int64_t *offsets
    const void *initial
    const int32_t *initial_rows
    const void *recurrent_kernel
    void *last
    void *sums    # or NULL
    void *maxima  # or NULL
    int32_t *at   # or NULL
    Py_ssize_t B, F, H, tile
    int activation
    bint keep_states, ties


cdef void forward_tile(const Forward *work, floating *states, Py_ssize_t k) noexcept nogil:
    cdef Py_ssize_t first = k * work.tile, S = min(work.tile, work.B - first), H = work.H
    cdef const int64_t *offsets = work.offsets + first
    cdef const int32_t *rows = work.rows
    cdef const floating *inputs = <const floating *> work.inputs + offsets[0] * work.F
    cdef const floating *table = <const floating *> work.table
    cdef const floating *recurrent_kernel = <const floating *> work.recurrent_kernel
    cdef Py_ssize_t steps = offsets[1] - offsets[0], m = 0, n_running, s, r
    cdef floating *current = states + (offsets[0] + first if work.keep_states else 2 * first) * H
    cdef floating *turns = current
    cdef floating *following
    cdef floating *sums = <floating *> work.sums
    cdef floating *maxima = <floating *> work.maxima
    cdef int32_t *at = work.at
    if rows != NULL:
        rows += offsets[0]
    if sums != NULL:
        sums += first * H
        memset(sums, 0, S * H * sizeof(floating))
    if at != NULL:
        at += first * H
        memset(at, 0, S * H * sizeof(int32_t))
    if maxima != NULL:
        maxima += first * H
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
        if rows == NULL:
            multiply(False, m, H, work.F, inputs, <const floating *> work.kernel, table, NULL, 0,
                     following)
            multiply(False, m, H, H, current, recurrent_kernel, following, NULL, H, following)
            inputs += m * work.F
        else:
            if s + 1 < steps:  # what these rows will need next
                for r in range(m):
                    crnn_prefetch(table + rows[m + r] * H, H * sizeof(floating))
            multiply(False, m, H, H, current, recurrent_kernel, table, rows, H, following)
            rows += m
        activate(work.activation, m * H, following)
        if sums != NULL:
            add(m * H, following, sums)
        if maxima != NULL:
            keep_maxima[floating](work.ties, m * H, <int32_t> (s + 1), following, maxima, at)
        current = following
    memcpy(<floating *> work.last + first * H, current, S * H * sizeof(floating))
    if maxima != NULL:  # rows without steps come last
        r = running(offsets, S, 0, 1)
        memcpy(maxima + r * H, current + r * H, (S - r) * H * sizeof(floating))


def backward_work(Py_ssize_t B, Py_ssize_t tile, Py_ssize_t H, Py_ssize_t D):
    """Shape of the work space that ``backward`` needs for B sequences and a table of D rows.

    With inputs of F numbers in place of a table, D is F + 1.
    """
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
    const int32_t[::1] rows,                  # IN  (N,) of the table as in forward
    const floating[:, ::1] inputs,            # IN  (0, F) or, in place of rows, (N, F)
    const floating[:, ::1] kernel_transposed,  # IN (H, F)  W'
    int activation,
    Py_ssize_t tile,
    int n_threads,
    floating[:, :, ::1] work,                 # WORK backward_work(B, tile, H, D or F + 1)
    floating[:, ::1] grad_table,              # OUT (D, H); or that of b, (1, H)
    floating[:, ::1] grad_inputs,             # OUT (N, F), or (0, F) if nobody asks for it
    floating[:, ::1] grad_kernel,             # OUT (F, H); zero if there are no inputs
    floating[:, ::1] grad_initial,            # OUT (B, H)
    floating[:, ::1] grad_recurrent_kernel,   # OUT (H, H)
):
    """Back-propagation through time.

    With a_t = x_t W + b + h_{t-1} U and the gradient dh_t of the loss by h_t:
    da_t = dh_t f'(a_t),  dh_{t-1} = da_t U' (+ what comes in at t - 1),  dU = sum_t h_{t-1}' da_t,
    and the gradient of a row of the table is the sum of da_t over the transitions that read it.
    With inputs, dx_t = da_t W', dW = sum_t x_t' da_t, and that of b is the sum of all da_t.

    Tiles are shared out to a fixed number of groups, of which each sums up on its own.
    """
    cdef Py_ssize_t B = grad_last.shape[0], H = transposed.shape[0], D = grad_table.shape[0], N
    cdef Py_ssize_t F = inputs.shape[1], n_groups, n_rows, g
    cdef bint every_step = grad_states.shape[0] > 0, projected = inputs.shape[0] > 0
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
            and (projected or rows.shape[0] >= N) and grad_initial.shape[0] == B,
            "states and gradients must have the rows of the batch")
    require(not projected or (inputs.shape[0] == N and D == 1),
            "inputs must have a row for each transition, and grad_table one; or none")
    require(kernel_transposed.shape[0] == H and kernel_transposed.shape[1] == F
            and grad_kernel.shape[0] == F and grad_kernel.shape[1] == H
            and grad_inputs.shape[1] == F
            and (grad_inputs.shape[0] == 0 or grad_inputs.shape[0] == inputs.shape[0]),
            "kernel_transposed, grad_kernel and grad_inputs must fit inputs")
    n_rows = F + 1 if projected else D
    require(grad_sums.shape[1] == H and grad_maxima.shape[1] == H and at.shape[1] == H
            and (not summed or grad_sums.shape[0] == B)
            and (not maximal or grad_maxima.shape[0] == B) and at.shape[0] == grad_maxima.shape[0],
            "grad_sums, grad_maxima and at must be like grad_last, or have no rows")
    require(work.shape[0] >= n_groups and work.shape[2] == H
            and work.shape[1] == NEAR + tile + H + n_rows,
            "work must have the shape that backward_work gives")
    grad_recurrent_kernel[:, :] = 0
    grad_kernel[:, :] = 0
    if B == 0 or H == 0:
        grad_table[:, :] = 0
        return
    cdef Backward job = Backward(
        &states[0, 0], &offsets[0], &transposed[0, 0], &grad_last[0, 0], NULL, NULL, NULL, NULL,
        NULL, NULL, NULL, NULL, &grad_initial[0, 0], B, F, H, n_rows, tile, n_groups, activation)
    if every_step:
        job.grad_states = &grad_states[0, 0]
    if summed:
        job.grad_sums = &grad_sums[0, 0]
    if maximal:
        job.grad_maxima, job.at = &grad_maxima[0, 0], &at[0, 0]
    if projected:
        job.inputs, job.kernel_transposed = &inputs[0, 0], &kernel_transposed[0, 0]
    elif N > 0:
        job.rows = &rows[0]
    if grad_inputs.shape[0] > 0:
        job.grad_inputs = &grad_inputs[0, 0]
    with nogil:
        crnn_share(<crnn_piece> backward_group[floating], &job, &work[0, 0, 0], n_groups,
                   n_threads, 2 * N * (F + H) * H)
    for g in range(n_groups):
        add(H * H, &work[g, NEAR + tile, 0], &grad_recurrent_kernel[0, 0])
    cdef Tables tables
    if projected:
        grad_table[:, :] = 0
        for g in range(n_groups):
            add(F * H, &work[g, NEAR + tile + H, 0], &grad_kernel[0, 0])
            add(H, &work[g, NEAR + tile + H + F, 0], &grad_table[0, 0])
    elif D > 0:
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
    const int32_t *rows      # or NULL: each transition has a row of inputs
    const void *inputs
    const void *kernel_transposed
    void *grad_inputs        # or NULL
    void *grad_initial
    Py_ssize_t B, F, H, D, tile, n_groups
    int activation


cdef void backward_group(const Backward *job, floating *work, Py_ssize_t group) noexcept nogil:
    cdef Py_ssize_t B = job.B, H = job.H, D = job.D, tile = job.tile, k, r, g, lightest
    cdef Py_ssize_t[MOST_GROUPS] loads
    cdef floating *steps = work + group * (NEAR + tile + H + D) * H
    cdef floating *sums = steps + (NEAR + tile) * H  # dU, then the table, or dW and db
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
    floating *sums
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
    cdef floating *da
    if incoming != NULL:
        incoming += (start + first) * H
    if grad_sums != NULL:
        grad_sums += first * H
    if grad_maxima != NULL:
        grad_maxima, at = grad_maxima + first * H, at + first * H
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
        # Gradients only stand in grad_steps, NEAR + S rows, until they are summed up.
        da = grad_steps + (NEAR + S - (done - transition)) * H
        crnn_prefetch(states + (state - m) * H, m * H * sizeof(floating))
        activate_backward(job.activation, m * H, states + state * H, grad_initial, da)
        multiply[floating](False, m, H, H, da, <const floating *> job.transposed, NULL, NULL, 0,
                           grad_initial)
        state -= m
        if done - transition >= NEAR or s == 1:
            multiply(True, H, H, done - transition, states + transition * H, da,
                     grad_recurrent_kernel, NULL, H, grad_recurrent_kernel)
            if job.inputs == NULL:
                scatter_add_loop(done - transition, job.rows + start + transition, H, da, sums)
            else:
                project_backward(job, start + transition, done - transition, da, sums)
            done = transition


cdef void project_backward(
    const Backward *job, Py_ssize_t first, Py_ssize_t n, const floating *da, floating *sums
) noexcept nogil:
    """What n gradients add to dW and db, and the gradients of their inputs."""
    cdef Py_ssize_t F = job.F, H = job.H, j
    multiply[floating](True, F, H, n, <const floating *> job.inputs + first * F, da, sums, NULL, H,
                       sums)
    for j in range(n):
        add(H, da + j * H, sums + F * H)
    if job.grad_inputs != NULL:
        multiply[floating](False, n, F, H, da, <const floating *> job.kernel_transposed, NULL, NULL,
                           0, <floating *> job.grad_inputs + first * F)


cdef inline Py_ssize_t earlier(
    const int64_t *offsets, Py_ssize_t m, Py_ssize_t steps_left
) noexcept nogil:
    """m_s as ``running`` gives it, where m is an upper bound."""
    while m > 0 and offsets[m] - offsets[m - 1] < steps_left:
        m -= 1
    return m
