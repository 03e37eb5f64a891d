/* Products of matrices with any number of columns: the widest vectors that the columns fill.
 *
 * Included like loops.h, with VECTOR_BYTES and VECTOR_BLOCK_ROWS of the instruction set.
 */

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

/* The same from column j on. */
TARGET static inline __attribute__((always_inline)) NAME(start) NAME(start_at)(NAME(start) start,
                                                                               ptrdiff_t j) {
    if (start.values != NULL) start.values += j;
    return start;
}

#define WIDTH(x) NAME(single_##x)
#define BYTES (int)sizeof(REAL)
#define BLOCK_ROWS 4
#include "products.h"

#if VECTOR_BYTES > 16
#define WIDTH(x) NAME(narrow_##x)
#define BYTES 16
#define BLOCK_ROWS 4
#include "products.h"
#endif

#define WIDTH(x) NAME(wide_##x)
#define BYTES VECTOR_BYTES
#define BLOCK_ROWS VECTOR_BLOCK_ROWS
#include "products.h"

/* C := START + A B, C (m, n) and B (depth, n) row-major, and A[i, p] = a[i a_row + p a_column]. */
TARGET static void NAME(multiply)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t depth, const REAL *a,
                                  ptrdiff_t a_row, ptrdiff_t a_column, const REAL *b,
                                  const REAL *values, const int32_t *rows, ptrdiff_t stride,
                                  REAL *c) {
    const NAME(start) start = {values, rows, stride};
    const ptrdiff_t bytes = n * (ptrdiff_t)sizeof(REAL);
    if (bytes >= VECTOR_BYTES)
        NAME(wide_multiply)(m, n, depth, a, a_row, a_column, b, start, c);
#if VECTOR_BYTES > 16
    else if (bytes >= 16)
        NAME(narrow_multiply)(m, n, depth, a, a_row, a_column, b, start, c);
#endif
    else
        NAME(single_multiply)(m, n, depth, a, a_row, a_column, b, start, c);
}
