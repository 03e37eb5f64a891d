/* Small matrix products, blocked by hand for the registers of one instruction set.
 *
 * Included like _loops.h. The columns of a row lie in the lanes of vectors, so that a state element
 * meets a whole row of weights by one broadcast, and no operand is packed or transposed: that is
 * what BLAS spends most of its time on at these sizes. The number of columns must be a multiple of
 * LANES. Further macros:
 *   VECTOR_BYTES  width of a vector register
 *   BLOCK_ROWS    rows of C that are kept in registers, with two vectors each
 *
 * Each element of C is summed in one fixed order, whatever rows come with it in a call. So a
 * sequence gets the same states in any company.
 */

#define LANES (VECTOR_BYTES / (int)sizeof(REAL))

typedef REAL NAME(vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));

/* What the sums of a product begin with: row i is values[rows[i]] or, if rows is NULL, values[i],
 * stride numbers from one row of values to the next; zero if values is NULL. */
typedef struct {
    const REAL *values;
    const int32_t *rows;
    ptrdiff_t stride;
} NAME(start);

TARGET static inline __attribute__((always_inline)) const REAL *NAME(start_row)(NAME(start) start,
                                                                             ptrdiff_t i) {
    return start.values + (start.rows ? start.rows[i] : i) * start.stride;
}

/* C := START + A B for n_rows rows and n_vectors vectors of columns, both known when compiled.
 * A is (n_rows, depth) with any strides, so it may be the transpose of a stored matrix. */
TARGET static inline __attribute__((always_inline)) void NAME(block)(
    const int n_rows, const int n_vectors, ptrdiff_t depth, const REAL *a, ptrdiff_t a_row,
    ptrdiff_t a_column, const REAL *b, NAME(start) start, ptrdiff_t i0, REAL *c, ptrdiff_t n) {
    NAME(vector) sum[BLOCK_ROWS][2];
#pragma GCC unroll 16
    for (int i = 0; i < n_rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < n_vectors; j++)
            sum[i][j] = start.values == NULL ? (NAME(vector)){0}
                                             : *(const NAME(vector) *)(NAME(start_row)(start, i0 + i) +
                                                                       j * LANES);
    for (ptrdiff_t p = 0; p < depth; p++) {
        NAME(vector) row[2];
#pragma GCC unroll 2
        for (int j = 0; j < n_vectors; j++)
            row[j] = *(const NAME(vector) *)(b + p * n + j * LANES);
#pragma GCC unroll 16
        for (int i = 0; i < n_rows; i++) {
            const REAL factor = a[i * a_row + p * a_column];
#pragma GCC unroll 2
            for (int j = 0; j < n_vectors; j++) sum[i][j] += factor * row[j];
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < n_rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < n_vectors; j++) *(NAME(vector) *)(c + i * n + j * LANES) = sum[i][j];
}

#define CASE(rows)                                                                               \
    case rows:                                                                                   \
        NAME(block)(rows, n_vectors, depth, a, a_row, a_column, b, start, i, c, n);              \
        break;

/* One panel of columns: all m rows, block by block. */
TARGET static inline __attribute__((always_inline)) void NAME(panel)(
    const int n_vectors, ptrdiff_t m, ptrdiff_t depth, const REAL *a, ptrdiff_t a_row,
    ptrdiff_t a_column, const REAL *b, NAME(start) start, REAL *c, ptrdiff_t n) {
    ptrdiff_t i = 0;
    for (; i + BLOCK_ROWS <= m; i += BLOCK_ROWS, a += BLOCK_ROWS * a_row, c += BLOCK_ROWS * n)
        NAME(block)(BLOCK_ROWS, n_vectors, depth, a, a_row, a_column, b, start, i, c, n);
    switch (m - i) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5)
#if BLOCK_ROWS > 6
        CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11)
#endif
    }
}

/* All panels. */
TARGET static inline __attribute__((always_inline)) void NAME(panels)(
    ptrdiff_t m, ptrdiff_t n, ptrdiff_t depth, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_column,
    const REAL *b, NAME(start) start, REAL *c) {
    ptrdiff_t j = 0;
    for (; j + 2 * LANES <= n; j += 2 * LANES) {
        NAME(panel)(2, m, depth, a, a_row, a_column, b + j, start, c + j, n);
        if (start.values != NULL) start.values += 2 * LANES;
    }
    if (j < n) NAME(panel)(1, m, depth, a, a_row, a_column, b + j, start, c + j, n);
}

/* C := START + A B, C (m, n) and B (depth, n) row-major, and A[i, p] = a[i a_row + p a_column]. */
TARGET static void NAME(multiply)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t depth, const REAL *a,
                                  ptrdiff_t a_row, ptrdiff_t a_column, const REAL *b,
                                  const REAL *values, const int32_t *rows, ptrdiff_t stride,
                                  REAL *c) {
    NAME(start) start = {values, rows, stride};
    if (n == 32 && depth == 32 && a_row == 32 && a_column == 1)
        NAME(panels)(m, 32, 32, a, 32, 1, b, start, c);
    else
        NAME(panels)(m, n, depth, a, a_row, a_column, b, start, c);
}

#undef CASE
#undef LANES
