/* Random numbers by their place: any block of a stream can be made without those before it, so
 * threads share them out, and the way back makes them again instead of keeping them.
 *
 * Word i of a stream is what SplitMix64 makes of seed + i (Steele, Lea and Flood 2014, Fast splittable
 * pseudorandom number generators); 64 words give a block of 256 numbers of 16 bits.
 */
#ifndef CRNN_DRAWS_H
#define CRNN_DRAWS_H

#include <stddef.h>
#include <stdint.h>

enum { CRNN_BLOCK = 256 };

static inline void crnn_draw(uint64_t seed, ptrdiff_t block, uint16_t *out) {
    for (int i = 0; i < CRNN_BLOCK / 4; i++) {
        const uint64_t place = CRNN_BLOCK / 4 * (uint64_t)block + (uint64_t)i + 1;
        uint64_t word = seed + place * UINT64_C(0x9E3779B97F4A7C15);
        word = (word ^ word >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        word = (word ^ word >> 27) * UINT64_C(0x94D049BB133111EB);
        word ^= word >> 31;
        out[i] = (uint16_t)word;
        out[CRNN_BLOCK / 4 + i] = (uint16_t)(word >> 16);
        out[CRNN_BLOCK / 2 + i] = (uint16_t)(word >> 32);
        out[3 * CRNN_BLOCK / 4 + i] = (uint16_t)(word >> 48);
    }
}

#endif
