/* Elementwise loops, written so that a compiler vectorises them.
 *
 * variants.h includes this file once for each instruction set and each precision, with
 *   REAL        float or double
 *   NAME(x)     the name of x in this variant
 *   TANH(x)     tanh in this precision
 *   SQRT(x)     square root in this precision
 */

/* x := f(x).  The logistic function is a tanh: 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2. */
TARGET static void NAME(activate)(int activation, ptrdiff_t n, REAL *restrict x) {
    switch (activation) {
    case CRNN_TANH:
        for (ptrdiff_t i = 0; i < n; i++) x[i] = TANH(x[i]);
        break;
    case CRNN_RELU: /* written so that NaN stays NaN */
        for (ptrdiff_t i = 0; i < n; i++) x[i] = x[i] < 0 ? 0 : x[i];
        break;
    case CRNN_SIGMOID:
        for (ptrdiff_t i = 0; i < n; i++)
            x[i] = (REAL)0.5 + (REAL)0.5 * TANH((REAL)0.5 * x[i]);
        break;
    default: /* linear */
        break;
    }
}

/* grad_in := grad_out f'(x), with f' written in y = f(x): tanh' = 1 - y^2, sigmoid' = y (1 - y). */
TARGET static void NAME(activate_backward)(int activation, ptrdiff_t n, const REAL *restrict y,
                                           const REAL *restrict grad_out,
                                           REAL *restrict grad_in) {
    switch (activation) {
    case CRNN_TANH:
        for (ptrdiff_t i = 0; i < n; i++) grad_in[i] = grad_out[i] * (1 - y[i] * y[i]);
        break;
    case CRNN_RELU:
        for (ptrdiff_t i = 0; i < n; i++) grad_in[i] = y[i] > 0 ? grad_out[i] : 0;
        break;
    case CRNN_SIGMOID:
        for (ptrdiff_t i = 0; i < n; i++) grad_in[i] = grad_out[i] * (y[i] * (1 - y[i]));
        break;
    default:
        memcpy(grad_in, grad_out, (size_t)n * sizeof(REAL));
        break;
    }
}

/* y := y + x */
TARGET static void NAME(add)(ptrdiff_t n, const REAL *restrict x, REAL *restrict y) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] += x[i];
}

/* y := max(x, y);  at := step where x > y, or where x >= y with ties, unless at is NULL. NaN counts as
 * more than any number, and as states that follow NaN are NaN, one that is met stays to the end.
 * Steps ascend from 1, and at is 0 at first, so at is a maximum too: a store that depends on a
 * comparison would become a branch, which no processor can predict here. */
TARGET static void NAME(keep_maxima)(int ties, ptrdiff_t n, int32_t step, const REAL *restrict x,
                                     REAL *restrict y, int32_t *restrict at) {
    if (at == NULL)
        for (ptrdiff_t i = 0; i < n; i++) y[i] = y[i] > x[i] ? y[i] : x[i];
    else if (ties)
        for (ptrdiff_t i = 0; i < n; i++) {
            const int32_t latest = x[i] < y[i] ? 0 : step;
            at[i] = at[i] > latest ? at[i] : latest;
            y[i] = y[i] > x[i] ? y[i] : x[i];
        }
    else
        for (ptrdiff_t i = 0; i < n; i++) {
            const int32_t latest = x[i] <= y[i] ? 0 : step;
            at[i] = at[i] > latest ? at[i] : latest;
            y[i] = y[i] > x[i] ? y[i] : x[i];
        }
}

/* y := y + x where at is this step. */
TARGET static void NAME(add_where)(ptrdiff_t n, int32_t step, const int32_t *restrict at,
                                   const REAL *restrict x, REAL *restrict y) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] += at[i] == step ? x[i] : 0;
}

/* y[rows[j]] := y[rows[j]] + x[j] for all j in turn. */
TARGET static void NAME(scatter_add)(ptrdiff_t n_rows, const int32_t *rows, ptrdiff_t n,
                                     const REAL *restrict x, REAL *restrict y) {
    for (ptrdiff_t j = 0; j < n_rows; j++) {
        REAL *sum = y + rows[j] * n;
        const REAL *row = x + j * n;
        for (ptrdiff_t i = 0; i < n; i++) sum[i] += row[i];
    }
}

/* x := factor x where the draw is at least ``least``, else 0: n draws of one block, each for ``width``
 * numbers. */
TARGET static void NAME(drop)(ptrdiff_t n, ptrdiff_t width, uint64_t seed, ptrdiff_t block, int least,
                              REAL factor, REAL *restrict x) {
    uint16_t drawn[CRNN_BLOCK];
    crnn_draw(seed, block, drawn);
    if (width == 1)
        for (ptrdiff_t i = 0; i < n; i++) x[i] = drawn[i] >= least ? factor * x[i] : 0;
    else
        for (ptrdiff_t i = 0; i < n; i++, x += width)
            for (ptrdiff_t j = 0; j < width; j++) x[j] = drawn[i] >= least ? factor * x[j] : 0;
}

/* v := decay v + gain g^2;  w := w - rate g / sqrt(v + epsilon).  decay is rho, or a power of rho
 * where v waited for more than one step; gain is 1 - rho, subtracted in double precision (in
 * single precision 1 - 0.999 is off by 5e-5). */
TARGET static void NAME(rmsprop)(ptrdiff_t n, REAL rate, REAL decay, REAL gain, REAL epsilon,
                                 const REAL *restrict g, REAL *restrict v, REAL *restrict w) {
    for (ptrdiff_t i = 0; i < n; i++) {
        v[i] = decay * v[i] + gain * (g[i] * g[i]);
        w[i] -= rate * g[i] / SQRT(v[i] + epsilon);
    }
}

/* m := beta_1 m + gain_1 g;  v := beta_2 v + gain_2 g^2;  w := w - rate m / (sqrt(v) + epsilon),
 * with the bias corrections in rate and gain = 1 - beta. */
TARGET static void NAME(adam)(ptrdiff_t n, REAL rate, REAL beta_1, REAL gain_1, REAL beta_2,
                              REAL gain_2, REAL epsilon, const REAL *restrict g, REAL *restrict m,
                              REAL *restrict v, REAL *restrict w) {
    for (ptrdiff_t i = 0; i < n; i++) {
        m[i] = beta_1 * m[i] + gain_1 * g[i];
        v[i] = beta_2 * v[i] + gain_2 * (g[i] * g[i]);
        w[i] -= rate * m[i] / (SQRT(v[i]) + epsilon);
    }
}

/* w := w - p m / x (1 + spread / x^2),  x = sqrt(v) + epsilon;  m := decay_1 m;  v := decay_2 v. */
TARGET static void NAME(adam_without_gradient)(ptrdiff_t n, REAL p, REAL epsilon, REAL spread,
                                               REAL decay_1, REAL decay_2, REAL *restrict m,
                                               REAL *restrict v, REAL *restrict w) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL inverse = 1 / (SQRT(v[i]) + epsilon);
        w[i] -= p * m[i] * inverse * (1 + spread * inverse * inverse);
        m[i] *= decay_1;
        v[i] *= decay_2;
    }
}
