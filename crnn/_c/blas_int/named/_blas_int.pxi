from scipy.linalg.cython_blas cimport blas_int
