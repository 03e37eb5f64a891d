/* What this machine can do at most, and what a tanh costs: compiled by roofline.py where it runs,
 * for the processor it runs on. */
#include "../crnn/_c/tanh.h"

#if defined(__AVX512F__)
#define WIDTH 64
#define CHAINS 14
#elif defined(__AVX__)
#define WIDTH 32
#define CHAINS 12
#else
#define WIDTH 16
#define CHAINS 12
#endif

typedef float vector __attribute__((vector_size(WIDTH)));

/* As many independent chains of multiply-adds as hide their latency, all in registers. Returns how
 * many floating-point operations were done; *out keeps the compiler from leaving them out. */
double multiply_add(long n, float *out) {
    vector sum[CHAINS], factor;
    for (int j = 0; j < WIDTH / 4; j++) factor[j] = 0.999f;
    for (int i = 0; i < CHAINS; i++) sum[i] = factor * (float)i;
    for (long k = 0; k < n; k++) {
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++) sum[i] = sum[i] * factor + factor;
    }
    for (int i = 0; i < CHAINS; i++) *out += sum[i][0];
    return 2.0 * CHAINS * (WIDTH / 4) * n;
}

/* tanh of 1024 numbers, which stay in the nearest cache, n times. */
double tanh_of_1024(long n, float *x) {
    for (long k = 0; k < n; k++) {
        for (int i = 0; i < 1024; i++) x[i] = tanh_f32(x[i]);
        __asm__ volatile("" : : "r"(x) : "memory"); /* each pass counts */
    }
    return 1024.0 * n;
}
