/* Small matrix products, blocked by hand for the registers of one instruction set.
 *
 * The columns of a row lie in the lanes of vectors, so that a state element meets a whole row of
 * weights by one broadcast, and no operand is packed or transposed: that is what BLAS spends most
 * of its time on at these sizes. widths.h includes this file for each width of vectors that serves
 * some number of columns, with
 *   WIDTH(x)    the name of x for this width
 *   BYTES       width of a vector
 *   BLOCK_ROWS  rows of C that are kept in registers, with two vectors each, or one row with more
 *
 * Where the columns do not fill whole vectors the last two vectors of a row overlap. Both are read
 * before either is written, and they have the same numbers in common, so that C may be START.
 *
 * Each element of C is summed in one fixed order, whatever rows come with it in a call. So a
 * sequence gets the same states in any company.
 */

#define LANES (BYTES / (int)sizeof(REAL))
#define MOST_VECTORS 8

typedef REAL WIDTH(vector) __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));

/* C := START + A B for n_rows rows and n_vectors vectors of columns, both known when compiled, each
 * vector ``next`` columns after the one before. A is (n_rows, depth) with any strides, so it may be
 * the transpose of a stored matrix. */
TARGET static inline __attribute__((always_inline)) void WIDTH(block)(
    const int n_rows, const int n_vectors, ptrdiff_t next, ptrdiff_t depth, const REAL *a,
    ptrdiff_t a_row, ptrdiff_t a_column, const REAL *b, NAME(start) start, ptrdiff_t i0, REAL *c,
    ptrdiff_t n) {
    WIDTH(vector) sum[BLOCK_ROWS][MOST_VECTORS];
#pragma GCC unroll 16
    for (int i = 0; i < n_rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < n_vectors; j++)
            sum[i][j] = start.values == NULL
                            ? (WIDTH(vector)){0}
                            : *(const WIDTH(vector) *)(NAME(start_row)(start, i0 + i) + j * next);
    for (ptrdiff_t p = 0; p < depth; p++) {
        WIDTH(vector) row[MOST_VECTORS];
#pragma GCC unroll 8
        for (int j = 0; j < n_vectors; j++)
            row[j] = *(const WIDTH(vector) *)(b + p * n + j * next);
#pragma GCC unroll 16
        for (int i = 0; i < n_rows; i++) {
            const REAL factor = a[i * a_row + p * a_column];
#pragma GCC unroll 8
            for (int j = 0; j < n_vectors; j++) sum[i][j] += factor * row[j];
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < n_rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < n_vectors; j++)
            *(WIDTH(vector) *)(c + i * n + j * next) = sum[i][j];
}

#define CASE(rows)                                                                               \
    case rows:                                                                                   \
        WIDTH(block)                                                                             \
        (rows, n_vectors, next, depth, a, a_row, a_column, b, start, i, c, n);                   \
        break;

/* One panel of columns: all m rows, block by block. */
TARGET static inline __attribute__((always_inline)) void WIDTH(panel)(
    const int n_vectors, ptrdiff_t next, ptrdiff_t m, ptrdiff_t depth, const REAL *a,
    ptrdiff_t a_row, ptrdiff_t a_column, const REAL *b, NAME(start) start, REAL *c, ptrdiff_t n) {
    ptrdiff_t i = 0;
    for (; i + BLOCK_ROWS <= m; i += BLOCK_ROWS, a += BLOCK_ROWS * a_row, c += BLOCK_ROWS * n)
        WIDTH(block)
        (BLOCK_ROWS, n_vectors, next, depth, a, a_row, a_column, b, start, i, c, n);
    switch (m - i) {
        CASE(1) CASE(2) CASE(3)
#if BLOCK_ROWS > 4
        CASE(4) CASE(5)
#endif
#if BLOCK_ROWS > 6
        CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11)
#endif
    }
}

/* All panels. A number of columns that needs an odd number of vectors has a first panel of one.
 *
 * A sum waits several cycles for the one before it, in each of which the processor could start two.
 * Many rows are enough sums side by side; a single row needs wider panels. */
TARGET static inline __attribute__((always_inline)) void WIDTH(panels)(
    ptrdiff_t m, ptrdiff_t n, ptrdiff_t depth, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_column,
    const REAL *b, NAME(start) start, REAL *c) {
    ptrdiff_t j = 0;
    if ((n + LANES - 1) / LANES % 2 == 1) {
        WIDTH(panel)(1, 0, m, depth, a, a_row, a_column, b, start, c, n);
        j = LANES;
    }
    const int single_row = BYTES == VECTOR_BYTES && m == 1; /* narrower vectors serve few columns */
    for (; single_row && n - j >= 8 * LANES; j += 8 * LANES)
        WIDTH(block)
        (1, 8, LANES, depth, a, a_row, a_column, b + j, NAME(start_at)(start, j), 0, c + j, n);
    for (; single_row && n - j >= 4 * LANES; j += 4 * LANES)
        WIDTH(block)
        (1, 4, LANES, depth, a, a_row, a_column, b + j, NAME(start_at)(start, j), 0, c + j, n);
    for (; j < n; j += 2 * LANES) {
        const ptrdiff_t next = n - j < 2 * LANES ? n - j - LANES : LANES;
        WIDTH(panel)
        (2, next, m, depth, a, a_row, a_column, b + j, NAME(start_at)(start, j), c + j, n);
    }
}

/* C := START + A B for at least as many columns as a vector has lanes. */
TARGET static void WIDTH(multiply)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t depth, const REAL *a,
                                   ptrdiff_t a_row, ptrdiff_t a_column, const REAL *b,
                                   NAME(start) start, REAL *c) {
    if (n == 32 && depth == 32 && a_row == 32 && a_column == 1)
        WIDTH(panels)(m, 32, 32, a, 32, 1, b, start, c);
    else
        WIDTH(panels)(m, n, depth, a, a_row, a_column, b, start, c);
}

#undef CASE
#undef LANES
#undef MOST_VECTORS
#undef WIDTH
#undef BYTES
#undef BLOCK_ROWS
