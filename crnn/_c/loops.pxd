# The C loops of variants.h under one fused name each.

from cython cimport floating
from libc.stdint cimport int32_t, uint16_t, uint64_t
from libc.string cimport memcpy

from crnn._c.blas cimport gemm

cdef extern from "_c/draws.h" nogil:
    enum:
        CRNN_BLOCK
    void crnn_draw(uint64_t seed, ptrdiff_t block, uint16_t *out)

cdef extern from "_c/flush.h" nogil:
    uint64_t crnn_flush_denormals()
    void crnn_restore(uint64_t)

cdef extern from "_c/pool.h" nogil:
    enum:
        CRNN_THREADS
    ctypedef void (*crnn_piece)(const void *work, void *out, ptrdiff_t i) noexcept
    bint crnn_make_pool()
    void crnn_share(crnn_piece, const void *work, void *out, ptrdiff_t n, int n_threads, ptrdiff_t)

cdef extern from "_c/variants.h" nogil:
    enum:
        CRNN_TANH
        CRNN_RELU
        CRNN_SIGMOID
        CRNN_LINEAR

    # Each stands for the function of the variant in use.
    void activate_f32(int, ptrdiff_t, float *)
    void activate_f64(int, ptrdiff_t, double *)
    void activate_backward_f32(int, ptrdiff_t, const float *, const float *, float *)
    void activate_backward_f64(int, ptrdiff_t, const double *, const double *, double *)
    void add_f32(ptrdiff_t, const float *, float *)
    void add_f64(ptrdiff_t, const double *, double *)
    void keep_maxima_f32(int, ptrdiff_t, int32_t, const float *, float *, int32_t *)
    void keep_maxima_f64(int, ptrdiff_t, int32_t, const double *, double *, int32_t *)
    void add_where_f32(ptrdiff_t, int32_t, const int32_t *, const float *, float *)
    void add_where_f64(ptrdiff_t, int32_t, const int32_t *, const double *, double *)
    void scatter_add_f32(ptrdiff_t, const int32_t *, ptrdiff_t, const float *, float *)
    void scatter_add_f64(ptrdiff_t, const int32_t *, ptrdiff_t, const double *, double *)
    void drop_f32(ptrdiff_t, ptrdiff_t, uint64_t, ptrdiff_t, int, float, float *)
    void drop_f64(ptrdiff_t, ptrdiff_t, uint64_t, ptrdiff_t, int, double, double *)
    void rmsprop_f32(ptrdiff_t, float, float, float, float, const float *, float *, float *)
    void rmsprop_f64(ptrdiff_t, double, double, double, double, const double *, double *, double *)
    void adam_f32(
        ptrdiff_t, float, float, float, float, float, float, const float *, float *, float *,
        float *)
    void adam_f64(
        ptrdiff_t, double, double, double, double, double, double, const double *, double *,
        double *, double *)
    void adam_without_gradient_f32(
        ptrdiff_t, float, float, float, float, float, float *, float *, float *
    )
    void adam_without_gradient_f64(
        ptrdiff_t, double, double, double, double, double, double *, double *, double *
    )

    void crnn_prefetch(const void *, ptrdiff_t n_bytes)
    bint crnn_has_products()
    void multiply_f32(ptrdiff_t, ptrdiff_t, ptrdiff_t, const float *, ptrdiff_t, ptrdiff_t,
                      const float *, const float *, const int32_t *, ptrdiff_t, float *)
    void multiply_f64(ptrdiff_t, ptrdiff_t, ptrdiff_t, const double *, ptrdiff_t, ptrdiff_t,
                      const double *, const double *, const int32_t *, ptrdiff_t, double *)

    bint crnn_choose_variant(const char *)
    const char *crnn_variant_name()


cdef inline void activate(int activation, Py_ssize_t n, floating *x) noexcept nogil:
    """x := f(x)"""
    if floating is float:
        activate_f32(activation, n, x)
    else:
        activate_f64(activation, n, x)


cdef inline void activate_backward(
    int activation, Py_ssize_t n, const floating *y, const floating *grad_out, floating *grad_in
) noexcept nogil:
    """grad_in := grad_out f'(x), from y = f(x)"""
    if floating is float:
        activate_backward_f32(activation, n, y, grad_out, grad_in)
    else:
        activate_backward_f64(activation, n, y, grad_out, grad_in)


cdef inline void add(Py_ssize_t n, const floating *x, floating *y) noexcept nogil:
    """y := y + x"""
    if floating is float:
        add_f32(n, x, y)
    else:
        add_f64(n, x, y)


cdef inline void keep_maxima(
    bint ties, Py_ssize_t n, int32_t step, const floating *x, floating *y, int32_t *at
) noexcept nogil:
    """y := max(x, y), and at := step where x > y, or x >= y with ties"""
    if floating is float:
        keep_maxima_f32(ties, n, step, x, y, at)
    else:
        keep_maxima_f64(ties, n, step, x, y, at)


cdef inline void add_where(
    Py_ssize_t n, int32_t step, const int32_t *at, const floating *x, floating *y
) noexcept nogil:
    """y := y + x where at is this step"""
    if floating is float:
        add_where_f32(n, step, at, x, y)
    else:
        add_where_f64(n, step, at, x, y)


cdef inline void scatter_add_loop(
    Py_ssize_t n_rows, const int32_t *rows, Py_ssize_t n, const floating *x, floating *y
) noexcept nogil:
    """y[rows[j]] := y[rows[j]] + x[j]"""
    if floating is float:
        scatter_add_f32(n_rows, rows, n, x, y)
    else:
        scatter_add_f64(n_rows, rows, n, x, y)


cdef inline void drop_loop(
    Py_ssize_t n, Py_ssize_t width, uint64_t seed, Py_ssize_t block, int least, floating factor,
    floating *x
) noexcept nogil:
    """x := factor x or 0, by n draws for width numbers each"""
    if floating is float:
        drop_f32(n, width, seed, block, least, factor, x)
    else:
        drop_f64(n, width, seed, block, least, factor, x)


cdef inline void rmsprop_loop(
    Py_ssize_t n, floating rate, floating decay, floating gain, floating epsilon,
    const floating *g, floating *v, floating *w
) noexcept nogil:
    if floating is float:
        rmsprop_f32(n, rate, decay, gain, epsilon, g, v, w)
    else:
        rmsprop_f64(n, rate, decay, gain, epsilon, g, v, w)


cdef inline void adam_loop(
    Py_ssize_t n, floating rate, floating beta_1, floating gain_1, floating beta_2,
    floating gain_2, floating epsilon,
    const floating *g, floating *m, floating *v, floating *w
) noexcept nogil:
    if floating is float:
        adam_f32(n, rate, beta_1, gain_1, beta_2, gain_2, epsilon, g, m, v, w)
    else:
        adam_f64(n, rate, beta_1, gain_1, beta_2, gain_2, epsilon, g, m, v, w)


cdef inline void adam_without_gradient_loop(
    Py_ssize_t n, floating p, floating epsilon, floating spread, floating decay_1,
    floating decay_2, floating *m, floating *v, floating *w
) noexcept nogil:
    if floating is float:
        adam_without_gradient_f32(n, p, epsilon, spread, decay_1, decay_2, m, v, w)
    else:
        adam_without_gradient_f64(n, p, epsilon, spread, decay_1, decay_2, m, v, w)


cdef inline void multiply(
    bint transpose_a, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k, const floating *a,
    const floating *b, const floating *start, const int32_t *rows, Py_ssize_t stride, floating *c
) noexcept nogil:
    """C := START + op(A) B for row-major matrices, C (m, n), op(A) (m, k), B (k, n).

    Row i of START is start[rows[i]] or, if rows is NULL, start[i], where the rows of start are
    stride apart (0: all of them are the same one). START is zero if start is NULL.
    """
    cdef Py_ssize_t a_row = 1 if transpose_a else k, a_column = m if transpose_a else 1, i
    if not crnn_has_products():
        if start != NULL and start != c:
            for i in range(m):
                memcpy(c + i * n, start + (i if rows == NULL else rows[i]) * stride,
                       n * sizeof(floating))
        gemm(transpose_a, False, m, n, k, a, b, <floating> (start != NULL), c)
    elif floating is float:
        multiply_f32(m, n, k, a, a_row, a_column, b, start, rows, stride, c)
    else:
        multiply_f64(m, n, k, a, a_row, a_column, b, start, rows, stride, c)
