# The rules of the optimisers.

from cython cimport floating
from libc.math cimport pow, sqrt
from libc.stdint cimport int32_t, int64_t

from crnn._c.loops cimport (
    adam_loop,
    adam_without_gradient_loop,
    crnn_piece,
    crnn_share,
    rmsprop_loop,
)

cdef enum:
    # Most rows wait for fewer steps than this; pow for the others costs as much as the update.
    N_POWERS = 64


cdef int require_like(const floating[:, ::1] x, const floating[:, ::1] weights) except -1:
    require(x.shape[0] == weights.shape[0] and x.shape[1] == weights.shape[1],
            "moments and velocities must fit weights")
    return 0


cdef int require_touched(
    const int64_t[::1] touched, const int32_t[::1] ids, Py_ssize_t n_rows, int64_t step
) except -1:
    """Refuse rows that are not there, or further than the step to bring them to."""
    cdef Py_ssize_t d
    cdef bint inside = True
    require(touched.shape[0] == n_rows, "touched must fit weights")
    require_below(ids, n_rows, "ids")
    for d in range(ids.shape[0]):
        inside &= 0 <= touched[ids[d]] <= step
    return require(inside, "touched must be steps up to step")


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
    floating[:, ::1] weights,      # INOUT (R, C)
    const floating[:, ::1] grads,  # IN    (D, C)
    floating[:, ::1] velocities,   # INOUT (R, C)
    const int32_t[::1] ids,        # IN    (D,)  distinct rows that the gradients belong to
    double learning_rate,
    double momentum,
    bint nesterov,
    int n_threads,
):
    """v := momentum v - lr g,  w := w + v, or w := w + momentum v - lr g by Nesterov.

    Rows that are not in ids have to be brought up to date by ``sgd_without_gradient`` before they
    are read.
    """
    cdef Py_ssize_t D = ids.shape[0], C = weights.shape[1]
    require(grads.shape[0] == D and grads.shape[1] == C, "grads must fit weights and ids")
    require_like(velocities, weights)
    require_below(ids, weights.shape[0], "ids")
    if D == 0 or C == 0:
        return
    cdef Sgd work = Sgd(&grads[0, 0], &velocities[0, 0], &ids[0], NULL, D, C, 0, learning_rate,
                        momentum, nesterov)
    with nogil:
        crnn_share(<crnn_piece> sgd_chunk[floating], &work, &weights[0, 0],
                   count_chunks(D, CHUNK), n_threads, 16 * D * C)


cdef struct Sgd:
    const void *grads
    void *velocities
    const int32_t *ids
    int64_t *touched  # of rows without gradient
    Py_ssize_t D, C
    int64_t step
    double rate, momentum
    bint nesterov


cdef void sgd_chunk(const Sgd *work, floating *weights, Py_ssize_t c) noexcept nogil:
    cdef Py_ssize_t d, i, C = work.C
    cdef floating rate = <floating> work.rate, momentum = <floating> work.momentum
    cdef const floating *g = <const floating *> work.grads + c * CHUNK * C
    cdef floating *v
    cdef floating *w
    for d in range(c * CHUNK, min(work.D, (c + 1) * CHUNK)):
        v, w = <floating *> work.velocities + work.ids[d] * C, weights + work.ids[d] * C
        for i in range(C):
            v[i] = momentum * v[i] - rate * g[i]
            w[i] += momentum * v[i] - rate * g[i] if work.nesterov else v[i]
        g += C


def sgd_without_gradient(
    floating[:, ::1] weights,     # INOUT (R, C)
    floating[:, ::1] velocities,  # INOUT (R, C)
    const int32_t[::1] ids,       # IN    (D,)  distinct rows to bring up to date
    int64_t[::1] touched,         # INOUT (R,)  step up to which each row is, from 0
    int64_t step,                 # step to bring them to
    double momentum,              # below 1
    bint nesterov,
    int n_threads,
):
    """All steps that a row sat out, in one.

    Without a gradient, v is momentum^j v after j steps, which move w by all of these, or by
    Nesterov momentum times as far. So k steps move it by

        (momentum + ... + momentum^k) v = momentum (1 - momentum^k) / (1 - momentum) v.
    """
    cdef Py_ssize_t D = ids.shape[0], C = weights.shape[1]
    require_like(velocities, weights)
    require(0 <= momentum < 1, "momentum must be at least 0 and below 1")
    require_touched(touched, ids, weights.shape[0], step)
    if D == 0 or C == 0:
        return
    cdef Sgd work = Sgd(NULL, &velocities[0, 0], &ids[0], &touched[0], D, C, step, 0, momentum,
                        nesterov)
    with nogil:
        crnn_share(<crnn_piece> sgd_without_gradient_chunk[floating], &work, &weights[0, 0],
                   count_chunks(D, CHUNK), n_threads, 16 * D * C)


cdef void sgd_without_gradient_chunk(
    const Sgd *work, floating *weights, Py_ssize_t c
) noexcept nogil:
    cdef Py_ssize_t d, i, C = work.C
    cdef int64_t waited
    cdef double left, gain
    cdef floating *v
    cdef floating *w
    for d in range(c * CHUNK, min(work.D, (c + 1) * CHUNK)):
        waited = work.step - work.touched[work.ids[d]]
        if waited == 0:
            continue
        work.touched[work.ids[d]] = work.step
        left = pow(work.momentum, <double> waited)
        gain = work.momentum * (1 - left) / (1 - work.momentum)
        if work.nesterov:
            gain *= work.momentum
        v, w = <floating *> work.velocities + work.ids[d] * C, weights + work.ids[d] * C
        for i in range(C):
            w[i] += <floating> gain * v[i]
            v[i] *= <floating> left


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
    cdef Py_ssize_t D = ids.shape[0], C = weights.shape[1]
    require_like(moments, weights)
    require_like(velocities, weights)
    require(sums.shape[1] == 3 and 0 <= step < sums.shape[0], "sums must reach up to step")
    require(decays.shape[1] == 2 and decays.shape[0] > 1, "decays must have two columns")
    require_touched(touched, ids, weights.shape[0], step)
    if D == 0 or C == 0:
        return
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
