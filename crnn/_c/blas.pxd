# Row-major matrix products over scipy's BLAS.
#
# BLAS is column-major: a row-major (m, n) matrix is, to it, the (n, m) transpose.
# So C = op(A) op(B) is asked for as C' = op(B)' op(A)', with the operands swapped.

from cython cimport floating
from scipy.linalg.cython_blas cimport dgemm, sgemm

include "_blas_int.pxi"


cdef inline void gemm(
    bint transpose_a,
    bint transpose_b,
    Py_ssize_t m,
    Py_ssize_t n,
    Py_ssize_t k,
    const floating *a,  # IN (m, k), or (k, m) if transposed
    const floating *b,  # IN (k, n), or (n, k) if transposed
    floating beta,
    floating *c,  # INOUT (m, n)
) noexcept nogil:
    """C := op(A) op(B) + beta C for contiguous row-major matrices."""
    cdef:
        char trans_a = b"t" if transpose_a else b"n"
        char trans_b = b"t" if transpose_b else b"n"
        blas_int rows = <blas_int> m, columns = <blas_int> n, inner = <blas_int> k
        blas_int lda = rows if transpose_a else inner
        blas_int ldb = inner if transpose_b else columns
        floating one = 1
    if m == 0 or n == 0:
        return
    # Even where nothing is read or written, BLAS wants leading dimensions of at least one.
    lda = max(lda, 1)
    ldb = max(ldb, 1)
    if floating is float:
        sgemm(&trans_b, &trans_a, &columns, &rows, &inner, &one,
              <float *> b, &ldb, <float *> a, &lda, &beta, c, &columns)
    else:
        dgemm(&trans_b, &trans_a, &columns, &rows, &inner, &one,
              <double *> b, &ldb, <double *> a, &lda, &beta, c, &columns)
