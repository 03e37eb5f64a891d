# cython: language_level=3, wraparound=False, cdivision=True
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
a fixed order. So no result depends on the number of threads.

At these sizes a core computes faster than its caches deliver, so what is used again is used soon:
the gradient of a step goes into all sums that it is part of before it leaves the nearest caches.

``def`` functions check shapes and raise; below them nothing allocates, touches Python or raises.
Each has a NumPy twin of the same name and signature in ``_reference.py``. Letters: B batch,
T timesteps, F features, E embedding, H units, K outputs, V vocabulary; N transitions,
D distinct inputs (rows of the table).
"""

import os

from cython cimport floating
from cython.parallel cimport prange
from libc.math cimport exp, fabs, log, log1p, pow, sqrt
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from crnn._loops cimport (
    CRNN_LINEAR,
    CRNN_OPENMP,
    CRNN_RELU,
    CRNN_SIGMOID,
    CRNN_TANH,
    activate,
    activate_backward,
    adam_loop,
    add,
    crnn_choose_variant,
    crnn_flush_denormals,
    crnn_restore,
    crnn_variant_name,
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
SIMD = crnn_variant_name().decode()
OPENMP = CRNN_OPENMP == 1
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
    # Multiply-adds that take longer than to wake a thread and to wait for it, some microseconds.
    WORTH_A_TEAM = 1 << 18
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
    return (n + size - 1) // size


cdef inline int team(int n_threads, Py_ssize_t n_parts, Py_ssize_t work) noexcept nogil:
    """Threads for parts that take so many multiply-adds in all, or what takes as long."""
    return <int> max(1, min(n_threads, n_parts)) if work >= WORTH_A_TEAM else 1


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


def schedule(
    const int64_t[::1] starts,   # IN  (B,)  where each sequence starts in the flat values
    const int64_t[::1] offsets,  # IN  (B + 1,)  running sum of the lengths, the longest first
    Py_ssize_t tile,
    int n_threads,
    int64_t[::1] positions,      # OUT (N,)  flat position of the input of each transition
):
    """Order in which the kernels meet the steps of a batch."""
    cdef Py_ssize_t B = starts.shape[0], k
    require(offsets.shape[0] == B + 1, "offsets must have one entry more than starts")
    require_layout(offsets, tile)
    require(positions.shape[0] == offsets[B], "positions must have one entry a transition")
    n_threads = team(n_threads, count_chunks(B, tile), 32 * offsets[B])
    for k in prange(count_chunks(B, tile), nogil=True, num_threads=n_threads, schedule="dynamic"):
        schedule_tile(&starts[k * tile], &offsets[k * tile], min(tile, B - k * tile),
                      &positions[0] + offsets[k * tile] if offsets[B] > 0 else NULL)


cdef void schedule_tile(
    const int64_t *starts, const int64_t *offsets, Py_ssize_t S, int64_t *positions
) noexcept nogil:
    cdef Py_ssize_t steps = offsets[1] - offsets[0], m = 0, s, r
    for s in range(steps):
        m = running(offsets, S, m, steps - s)
        for r in range(m):
            positions[r] = starts[r] + s - (steps - (offsets[r + 1] - offsets[r]))
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
    cdef Py_ssize_t N = positions.shape[0], j
    require(out.shape[0] == N, "out must fit positions")
    require_below(positions, values.shape[0], "positions")
    n_threads = team(n_threads, N, 32 * N)
    for j in prange(N, nogil=True, num_threads=n_threads, schedule="static"):
        out[j] = values[positions[j]]


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
    cdef Py_ssize_t N = rows.shape[0], F = values.shape[1], j
    require(out.shape[0] == N and out.shape[1] == F, "out must fit values and rows")
    require_below(rows, values.shape[0], "rows")
    n_threads = team(n_threads, N, 16 * N * F)
    for j in prange(N if F > 0 else 0, nogil=True, num_threads=n_threads, schedule="static"):
        memcpy(&out[j, 0], &values[rows[j], 0], F * sizeof(floating))


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
    cdef Py_ssize_t D = inputs.shape[0], F = inputs.shape[1], H = kernel.shape[1], c
    require(kernel.shape[0] == F, "kernel must have a row for each input column")
    require(bias.shape[0] == H and out.shape[0] == D and out.shape[1] == H,
            "bias and out must fit inputs and kernel")
    if D == 0:
        return
    n_threads = team(n_threads, count_chunks(D, CHUNK), D * F * H)
    for c in prange(count_chunks(D, CHUNK), nogil=True, num_threads=n_threads, schedule="static"):
        dense_chunk(&inputs[c * CHUNK, 0], &kernel[0, 0], &bias[0], min(CHUNK, D - c * CHUNK),
                    F, H, &out[c * CHUNK, 0])


cdef void dense_chunk(
    const floating *inputs, const floating *kernel, const floating *bias,
    Py_ssize_t D, Py_ssize_t F, Py_ssize_t H, floating *out
) noexcept nogil:
    cdef uint64_t control = crnn_flush_denormals()
    multiply(False, D, H, F, inputs, kernel, bias, NULL, 0, out)
    crnn_restore(control)


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
    n_threads = team(n_threads, n_chunks, 2 * D * F * H)
    for c in prange(n_chunks, nogil=True, num_threads=n_threads, schedule="static"):
        dense_backward_chunk(
            &inputs[c * CHUNK, 0], &transposed[0, 0], &grad_out[c * CHUNK, 0],
            min(CHUNK, D - c * CHUNK), F, H,
            &grad_inputs[c * CHUNK, 0] if grad_inputs.shape[0] > 0 else NULL,
            &partial_sums[c, 0, 0], &partial_sums[c, F, 0])
    for c in range(n_chunks):
        add(F * H, &partial_sums[c, 0, 0], &grad_kernel[0, 0])
        add(H, &partial_sums[c, F, 0], &grad_bias[0])


cdef void dense_backward_chunk(
    const floating *inputs, const floating *transposed, const floating *grad_out,
    Py_ssize_t D, Py_ssize_t F, Py_ssize_t H,
    floating *grad_inputs, floating *grad_kernel, floating *grad_bias
) noexcept nogil:
    cdef uint64_t control = crnn_flush_denormals()
    cdef Py_ssize_t d
    if grad_inputs != NULL:
        multiply[floating](False, D, F, H, grad_out, transposed, NULL, NULL, 0, grad_inputs)
    multiply[floating](True, F, H, D, inputs, grad_out, NULL, NULL, 0, grad_kernel)
    memset(grad_bias, 0, H * sizeof(floating))
    for d in range(D):
        add(H, grad_out + d * H, grad_bias)
    crnn_restore(control)


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
    floating[:, ::1] states,                  # OUT (N + B, H), or WORK (2 B, H) if not kept
    floating[:, ::1] last,                    # OUT (B, H)
):
    """Run h_t = f(x_t W + b + h_{t-1} U) through all steps of a batch."""
    cdef Py_ssize_t B = initial_rows.shape[0], H = table.shape[1], N, k, r
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
    if B == 0 or H == 0:
        return
    n_threads = team(n_threads, count_chunks(B, tile), N * H * H)
    for k in prange(count_chunks(B, tile), nogil=True, num_threads=n_threads, schedule="dynamic"):
        r = k * tile
        forward_tile(
            &table[0, 0] if table.shape[0] > 0 else NULL, &rows[0] + offsets[r] if N > 0 else NULL,
            &offsets[r], min(tile, B - r), H, &initial[0, 0], &initial_rows[r],
            &recurrent_kernel[0, 0], activation, keep_states,
            &states[offsets[r] + r if keep_states else 2 * r, 0], &last[r, 0])


cdef void forward_tile(
    const floating *table, const int32_t *rows, const int64_t *offsets, Py_ssize_t S, Py_ssize_t H,
    const floating *initial, const int32_t *initial_rows, const floating *recurrent_kernel,
    int activation, bint keep_states, floating *states, floating *last
) noexcept nogil:
    cdef uint64_t control = crnn_flush_denormals()
    cdef Py_ssize_t steps = offsets[1] - offsets[0], m = 0, n_running, s, r
    cdef floating *current = states
    cdef floating *following
    for s in range(steps + 1):
        n_running = running(offsets, S, m, steps - s)
        for r in range(m, n_running):
            memcpy(current + r * H, initial + initial_rows[r] * H, H * sizeof(floating))
        m = n_running
        if s == steps:
            break
        # States that nobody asks for take turns in two blocks of S rows.
        if keep_states:
            following = current + m * H
        else:
            following = states + (S * H if current == states else 0)
        multiply(False, m, H, H, current, recurrent_kernel, table, rows, H, following)
        activate(activation, m * H, following)
        rows += m
        current = following
    memcpy(last, current, S * H * sizeof(floating))
    crnn_restore(control)


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
    cdef Py_ssize_t n_groups, g, c
    cdef bint every_step = grad_states.shape[0] > 0, scattered = rows.shape[0] > 0
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
    require(work.shape[0] >= n_groups and work.shape[2] == H
            and work.shape[1] == NEAR + tile + H + (D if scattered else 0),
            "work must have the shape that backward_work gives")
    grad_recurrent_kernel[:, :] = 0
    if B == 0 or H == 0:
        grad_table[:, :] = 0
        return
    n_threads = team(n_threads, n_groups, 2 * N * H * H)
    for g in prange(n_groups, nogil=True, num_threads=n_threads, schedule="static"):
        backward_group(
            g, n_groups, &states[0, 0], &offsets[0], B, H, &transposed[0, 0], &grad_last[0, 0],
            &grad_states[0, 0] if every_step else NULL, &rows[0] if scattered else NULL,
            activation, tile, D, &work[g, 0, 0], &grad_table[0, 0] if D > 0 else NULL,
            &grad_initial[0, 0])
    for g in range(n_groups):
        add(H * H, &work[g, NEAR + tile, 0], &grad_recurrent_kernel[0, 0])
    if not scattered:
        return
    for c in prange(count_chunks(D, CHUNK), nogil=True, num_threads=n_threads, schedule="static"):
        sum_tables(n_groups, &work[0, NEAR + tile + H + c * CHUNK, 0],
                   work.shape[1] * H, min(CHUNK, D - c * CHUNK) * H, &grad_table[c * CHUNK, 0])


cdef void sum_tables(
    Py_ssize_t n_groups, const floating *tables, Py_ssize_t stride, Py_ssize_t n, floating *out
) noexcept nogil:
    cdef uint64_t control = crnn_flush_denormals()
    cdef Py_ssize_t g
    memcpy(out, tables, n * sizeof(floating))
    for g in range(1, n_groups):
        add(n, tables + g * stride, out)
    crnn_restore(control)


cdef void backward_group(
    Py_ssize_t group, Py_ssize_t n_groups, const floating *states, const int64_t *offsets,
    Py_ssize_t B, Py_ssize_t H, const floating *transposed, const floating *grad_last,
    const floating *grad_states, const int32_t *rows, int activation, Py_ssize_t tile,
    Py_ssize_t D, floating *work, floating *grad_table, floating *grad_initial
) noexcept nogil:
    cdef uint64_t control = crnn_flush_denormals()
    cdef floating *sums = work + (NEAR + tile) * H  # dU, and the table if gradients are scattered
    cdef Py_ssize_t[MOST_GROUPS] loads
    cdef const floating *incoming = NULL
    cdef const int32_t *tile_rows = NULL
    cdef Py_ssize_t k, r, S, g, lightest, i
    memset(&loads[0], 0, sizeof(loads))
    memset(sums, 0, (H + (0 if rows == NULL else D)) * H * sizeof(floating))
    for k in range(count_chunks(B, tile)):
        r = k * tile
        S = min(tile, B - r)
        # Tiles get shorter and shorter; each goes to the group that has the fewest steps so far.
        lightest = 0
        for g in range(1, n_groups):
            if loads[g] < loads[lightest]:
                lightest = g
        loads[lightest] += offsets[r + S] - offsets[r]
        if lightest == group:
            i = offsets[r]
            if grad_states != NULL:
                incoming = grad_states + (i + r) * H
            if rows != NULL:
                tile_rows = rows + i
            backward_tile(
                states + (i + r) * H, offsets + r, S, H, transposed, grad_last + r * H, incoming,
                tile_rows, activation, grad_table + i * H if rows == NULL else work, sums,
                sums + H * H, grad_initial + r * H)
    crnn_restore(control)


cdef void backward_tile(
    const floating *states, const int64_t *offsets, Py_ssize_t S, Py_ssize_t H,
    const floating *transposed, const floating *grad_last, const floating *grad_states,
    const int32_t *rows, int activation, floating *grad_steps, floating *grad_recurrent_kernel,
    floating *table, floating *grad_initial
) noexcept nogil:
    cdef Py_ssize_t steps = offsets[1] - offsets[0], N = offsets[S] - offsets[0], m = S, s
    cdef Py_ssize_t state = N, transition = N  # first rows of the block at hand
    cdef Py_ssize_t done = N  # transitions from here on have their part in all sums
    cdef floating *da
    # grad_initial holds dh_s for the rows that run at time s. A row that starts at s is not
    # touched by earlier steps, so what stands there in the end is the gradient of h_0.
    memcpy(grad_initial, grad_last, S * H * sizeof(floating))
    for s in range(steps, -1, -1):
        if grad_states != NULL:
            add(m * H, grad_states + state * H, grad_initial)
        if s == 0:
            break
        m = earlier(offsets, m, steps - s + 1)
        transition -= m
        # Scattered gradients only stand in grad_steps, NEAR + S rows, until they are summed up.
        da = grad_steps + (transition if rows == NULL else NEAR + S - (done - transition)) * H
        activate_backward(activation, m * H, states + state * H, grad_initial, da)
        multiply[floating](False, m, H, H, da, transposed, NULL, NULL, 0, grad_initial)
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
    floating[:, ::1] grad_logits,     # OUT (B, K)  gradient of the weighted mean over B
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
                grad_logits[i, j] = <floating> (weights[i] * (p - y) / (B * K))
    return loss, correct


def softmax_cross_entropy(
    const floating[:, ::1] logits,  # IN  (B, K)
    const int32_t[::1] targets,     # IN  (B,)  class numbers
    const floating[::1] weights,    # IN  (B,)
    floating[:, ::1] grad_logits,   # OUT (B, K)  gradient of the weighted mean over B
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
                    weights[i] * (exp(logits[i, j] - largest) / total - (j == targets[i])) / B)
            loss += weights[i] * (log(total) + largest - logits[i, targets[i]])
            correct += weights[i] * (best == targets[i])
    return loss, correct


def squared_error(
    const floating[:, ::1] logits,   # IN  (B, K)  the predictions: the head has no activation
    const floating[:, ::1] targets,  # IN  (B, K)
    const floating[::1] weights,     # IN  (B,)
    floating[:, ::1] grad_logits,    # OUT (B, K)  gradient of the weighted mean over B
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
                grad_logits[i, j] = <floating> (2 * weights[i] * d / (B * K))
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
    n_threads = team(n_threads, count_chunks(D, CHUNK), 32 * D * C)
    for c in prange(count_chunks(D, CHUNK), nogil=True, num_threads=n_threads, schedule="static"):
        rmsprop_chunk(&weights[0, 0], &grads[0, 0], &velocities[0, 0], &ids[0], &touched[0],
                      c * CHUNK, min(D, c * CHUNK + CHUNK), C, step, <floating> learning_rate,
                      rho, &powers[0], <floating> epsilon)


cdef void rmsprop_chunk(
    floating *weights, const floating *grads, floating *velocities, const int32_t *ids,
    int64_t *touched, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t C, int64_t step,
    floating learning_rate, double rho, const double *powers, floating epsilon
) noexcept nogil:
    cdef uint64_t control = crnn_flush_denormals()
    cdef Py_ssize_t d, row
    cdef int64_t waited
    cdef double decay
    for d in range(start, stop):
        row = ids[d]
        waited = step - touched[row]
        decay = powers[waited] if 0 <= waited < N_POWERS else pow(rho, <double> waited)
        touched[row] = step
        rmsprop_loop(C, learning_rate, <floating> decay, <floating> (1 - rho), epsilon,
                     grads + d * C, velocities + row * C, weights + row * C)
    crnn_restore(control)


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
    floating[::1] weights,       # INOUT (P,)
    const floating[::1] grads,   # IN    (P,)
    floating[::1] moments,       # INOUT (P,)  running mean of the gradient
    floating[::1] velocities,    # INOUT (P,)  running mean of its square
    int64_t step,                # number of this step, from 1
    double learning_rate,
    double beta_1,
    double beta_2,
    double epsilon,
):
    """w := w - lr sqrt(1 - beta_2^step) / (1 - beta_1^step) m / (sqrt(v) + epsilon)

    The form of Keras (and of the end of section 2 of Kingma and Ba): epsilon beside the root of
    the uncorrected v.
    """
    cdef Py_ssize_t P = weights.shape[0]
    cdef double rate = (learning_rate * sqrt(1 - pow(beta_2, <double> step))
                        / (1 - pow(beta_1, <double> step)))
    cdef uint64_t control
    require(grads.shape[0] == P and moments.shape[0] == P and velocities.shape[0] == P,
            "all arrays must have one length")
    if P == 0:
        return
    with nogil:
        control = crnn_flush_denormals()
        adam_loop(P, <floating> rate, <floating> beta_1, <floating> (1 - beta_1),
                  <floating> beta_2, <floating> (1 - beta_2), <floating> epsilon,
                  &grads[0], &moments[0], &velocities[0], &weights[0])
        crnn_restore(control)
