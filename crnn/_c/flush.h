/* Numbers too small to be normal, taken as zero while a kernel runs.
 *
 * Gradients that vanish through time and states that decay pass through the denormal numbers, on
 * which a processor is up to a hundred times slower.  A thread sets its own floating-point control
 * register and puts it back, with the flags that the caller had raised and no others.
 */
#ifndef CRNN_FLUSH_H
#define CRNN_FLUSH_H

#include <stdint.h>

#if defined(__SSE2__) || defined(_M_X64)

#include <xmmintrin.h>

static inline uint64_t crnn_flush_denormals(void) {
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040); /* results (FTZ) and operands (DAZ) */
    return before;
}

static inline void crnn_restore(uint64_t before) { _mm_setcsr((unsigned)before); }

#elif defined(__aarch64__) && defined(__GNUC__)

static inline uint64_t crnn_flush_denormals(void) {
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before) : : "memory");
    __asm__ volatile("msr fpcr, %0" : : "r"(before | (1u << 24)) : "memory"); /* FZ */
    return before;
}

static inline void crnn_restore(uint64_t before) {
    __asm__ volatile("msr fpcr, %0" : : "r"(before) : "memory");
}

#else /* slow on such numbers, and right */

static inline uint64_t crnn_flush_denormals(void) { return 0; }

static inline void crnn_restore(uint64_t before) { (void)before; }

#endif

#endif
