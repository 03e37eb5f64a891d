# Dense layers: the projection of the inputs, and the head.

from cython cimport floating
from libc.string cimport memset

from crnn._c.loops cimport add, crnn_piece, crnn_share, multiply


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
