/* The loops of one instruction set in both precisions: see _variants.h. */

#define REAL float
#define NAME(x) LEVEL(x##_f32)
#define TANH tanh_f32
#define SQRT sqrtf
#include "_loops.h"
#ifdef VECTOR_BYTES
#include "_widths.h"
#endif
#undef REAL
#undef NAME
#undef TANH
#undef SQRT

#define REAL double
#define NAME(x) LEVEL(x##_f64)
#define TANH tanh_f64
#define SQRT sqrt
#include "_loops.h"
#ifdef VECTOR_BYTES
#include "_widths.h"
#endif
#undef REAL
#undef NAME
#undef TANH
#undef SQRT
