/* The loops of one instruction set in both precisions: see variants.h. */

#define REAL float
#define NAME(x) LEVEL(x##_f32)
#define TANH tanh_f32
#define SQRT sqrtf
#include "loops.h"
#ifdef VECTOR_BYTES
#include "widths.h"
#endif
#undef REAL
#undef NAME
#undef TANH
#undef SQRT

#define REAL double
#define NAME(x) LEVEL(x##_f64)
#define TANH tanh_f64
#define SQRT sqrt
#include "loops.h"
#ifdef VECTOR_BYTES
#include "widths.h"
#endif
#undef REAL
#undef NAME
#undef TANH
#undef SQRT
