/* The loops of loops.h compiled for several instruction sets, and the choice among them.
 *
 * On x86-64 with GCC or clang there are three variants, named after the levels of the x86-64
 * psABI: v2 (SSE4.2), v3 (AVX2 and FMA) and v4 (AVX-512).  Other machines have one, "plain",
 * compiled for the target that the build was asked for.
 *
 * The products of all these are those of products.h. A further variant, "blas", calls BLAS instead:
 * the only one of compilers without vectors (Microsoft's), and for tests anywhere else.
 */
#ifndef CRNN_VARIANTS_H
#define CRNN_VARIANTS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "draws.h"
#include "tanh.h"

#if defined(_MSC_VER)
#define restrict __restrict
#endif

enum { CRNN_TANH = 0, CRNN_RELU = 1, CRNN_SIGMOID = 2, CRNN_LINEAR = 3 };

#define DECLARE_LOOPS(REAL, SUFFIX)                                                              \
    typedef struct {                                                                             \
        void (*activate)(int, ptrdiff_t, REAL *);                                                \
        void (*activate_backward)(int, ptrdiff_t, const REAL *, const REAL *, REAL *);           \
        void (*add)(ptrdiff_t, const REAL *, REAL *);                                            \
        void (*keep_maxima)(int, ptrdiff_t, int32_t, const REAL *, REAL *, int32_t *);           \
        void (*add_where)(ptrdiff_t, int32_t, const int32_t *, const REAL *, REAL *);            \
        void (*scatter_add)(ptrdiff_t, const int32_t *, ptrdiff_t, const REAL *, REAL *);        \
        void (*drop)(ptrdiff_t, ptrdiff_t, uint64_t, ptrdiff_t, int, REAL, REAL *);              \
        void (*rmsprop)(ptrdiff_t, REAL, REAL, REAL, REAL, const REAL *, REAL *, REAL *);        \
        void (*adam)(ptrdiff_t, REAL, REAL, REAL, REAL, REAL, REAL, const REAL *, REAL *,        \
                     REAL *, REAL *);                                                            \
        void (*adam_without_gradient)(ptrdiff_t, REAL, REAL, REAL, REAL, REAL, REAL *,           \
                                      REAL *, REAL *);                                           \
        void (*multiply)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const REAL *, ptrdiff_t, ptrdiff_t,    \
                         const REAL *, const REAL *, const int32_t *, ptrdiff_t, REAL *);        \
    } loops_##SUFFIX;

DECLARE_LOOPS(float, f32)
DECLARE_LOOPS(double, f64)

typedef struct {
    const char *name;
    loops_f32 f32;
    loops_f64 f64;
} crnn_variant;

#define OURS(level, type) level##_multiply_##type
#define BLAS(level, type) NULL
#define LOOPS(level, type, PRODUCTS)                                                             \
    {level##_activate_##type, level##_activate_backward_##type, level##_add_##type,              \
     level##_keep_maxima_##type, level##_add_where_##type, level##_scatter_add_##type,           \
     level##_drop_##type, level##_rmsprop_##type, level##_adam_##type,                           \
     level##_adam_without_gradient_##type, PRODUCTS(level, type)}
#define VARIANT(name, level, PRODUCTS)                                                           \
    {name, LOOPS(level, f32, PRODUCTS), LOOPS(level, f64, PRODUCTS)}

#if defined(__x86_64__) && defined(__GNUC__)

#define LEVEL(x) v2_##x
#define VECTOR_BYTES 16
#define VECTOR_BLOCK_ROWS 6
#define TARGET __attribute__((target("sse4.2")))
#include "precisions.h"
#undef LEVEL
#undef VECTOR_BYTES
#undef VECTOR_BLOCK_ROWS
#undef TARGET

#define LEVEL(x) v3_##x
#define VECTOR_BYTES 32
#define VECTOR_BLOCK_ROWS 6
#define TARGET __attribute__((target("avx2,fma")))
#include "precisions.h"
#undef LEVEL
#undef VECTOR_BYTES
#undef VECTOR_BLOCK_ROWS
#undef TARGET

#define LEVEL(x) v4_##x
#define VECTOR_BYTES 64
#define VECTOR_BLOCK_ROWS 12
#if defined(__clang__) /* would ignore all of the attribute for the preference */
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")))
#else
#define TARGET                                                                                   \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))
#endif
#include "precisions.h"
#undef LEVEL
#undef VECTOR_BYTES
#undef VECTOR_BLOCK_ROWS
#undef TARGET

static const crnn_variant crnn_variants[] = {
    VARIANT("v4", v4, OURS), VARIANT("v3", v3, OURS), VARIANT("v2", v2, OURS),
    VARIANT("blas", v2, BLAS)};

static int crnn_runs_here(const char *name) {
    __builtin_cpu_init();
    if (strcmp(name, "v4") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("fma");
    if (strcmp(name, "v3") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return 1;
}

#else

#define LEVEL(x) plain_##x
#define TARGET
#if defined(__GNUC__)
#define VECTOR_BYTES 16
#define VECTOR_BLOCK_ROWS 6
#include "precisions.h"
#undef VECTOR_BYTES
#undef VECTOR_BLOCK_ROWS
static const crnn_variant crnn_variants[] = {
    VARIANT("plain", plain, OURS), VARIANT("blas", plain, BLAS)};
#else
#include "precisions.h"
static const crnn_variant crnn_variants[] = {VARIANT("blas", plain, BLAS)};
#endif
#undef LEVEL
#undef TARGET

static int crnn_runs_here(const char *name) {
    (void)name;
    return 1;
}

#endif

static const crnn_variant *crnn_loops;

#define activate_f32 crnn_loops->f32.activate
#define activate_f64 crnn_loops->f64.activate
#define activate_backward_f32 crnn_loops->f32.activate_backward
#define activate_backward_f64 crnn_loops->f64.activate_backward
#define add_f32 crnn_loops->f32.add
#define add_f64 crnn_loops->f64.add
#define keep_maxima_f32 crnn_loops->f32.keep_maxima
#define keep_maxima_f64 crnn_loops->f64.keep_maxima
#define add_where_f32 crnn_loops->f32.add_where
#define add_where_f64 crnn_loops->f64.add_where
#define scatter_add_f32 crnn_loops->f32.scatter_add
#define scatter_add_f64 crnn_loops->f64.scatter_add
#define drop_f32 crnn_loops->f32.drop
#define drop_f64 crnn_loops->f64.drop
#define rmsprop_f32 crnn_loops->f32.rmsprop
#define rmsprop_f64 crnn_loops->f64.rmsprop
#define adam_f32 crnn_loops->f32.adam
#define adam_f64 crnn_loops->f64.adam
#define adam_without_gradient_f32 crnn_loops->f32.adam_without_gradient
#define adam_without_gradient_f64 crnn_loops->f64.adam_without_gradient

/* Have the caches fetch what is read soon; lines of 64 bytes are usual. */
static inline void crnn_prefetch(const void *x, ptrdiff_t n_bytes) {
#if defined(__GNUC__)
    for (ptrdiff_t i = 0; i < n_bytes; i += 64) __builtin_prefetch((const char *)x + i);
#else
    (void)x;
    (void)n_bytes;
#endif
}

static inline int crnn_has_products(void) { return crnn_loops->f32.multiply != NULL; }
#define multiply_f32 crnn_loops->f32.multiply
#define multiply_f64 crnn_loops->f64.multiply

/* Called once, at import: the variant of this name, or the best one if the name is NULL. Returns 0
 * if there is none that runs here. */
static int crnn_choose_variant(const char *name) {
    const size_t count = sizeof(crnn_variants) / sizeof(crnn_variants[0]);
    for (size_t i = 0; i < count; i++) {
        const crnn_variant *variant = &crnn_variants[i]; /* the best comes first */
        if ((name == NULL || strcmp(name, variant->name) == 0) && crnn_runs_here(variant->name)) {
            crnn_loops = variant;
            return 1;
        }
    }
    return 0;
}

static const char *crnn_variant_name(void) { return crnn_loops->name; }

#endif
