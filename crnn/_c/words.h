/* Words as UTF-8, their hashes, and a table of words.
 *
 * A word is read eight bytes at a time: up to seven bytes behind its end must be readable.
 */
#ifndef CRNN_WORDS_H
#define CRNN_WORDS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef _MSC_VER
#include <intrin.h>
#endif

static inline uint32_t crnn_load32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t crnn_load64(const uint8_t *p) {
    return crnn_load32(p) | (uint64_t)crnn_load32(p + 4) << 32;
}

/* The first n < 8 bytes; the others are 0. */
static inline uint64_t crnn_load_tail(const uint8_t *p, size_t n) {
    return crnn_load64(p) & (((uint64_t)1 << 8 * n) - 1);
}

static inline uint32_t crnn_rotate32(uint32_t x, int r) { return x << r | x >> (32 - r); }
static inline uint64_t crnn_rotate64(uint64_t x, int r) { return x << r | x >> (64 - r); }

/* The first bit that is set. */
static inline int crnn_first_bit(uint64_t bits) {
#ifdef _MSC_VER
    unsigned long i;
    _BitScanForward64(&i, bits);
    return (int)i;
#else
    return __builtin_ctzll(bits);
#endif
}

/* A bit for each of 64 bytes, set where words begin and, behind their last byte, where they end.
 * `inside` says whether the byte in front belongs to a word, and then whether the last one does. */
static inline uint64_t crnn_edges(const uint8_t *p, uint64_t *inside) {
    const uint64_t low = 0x7f7f7f7f7f7f7f7fu;
    uint64_t letters = 0;
    for (int i = 0; i < 64; i += 8) {
        const uint64_t x = crnn_load64(p + i) ^ 0x2020202020202020u; /* 0 where a space is */
        const uint64_t top = (((x & low) + low) | x) & ~low;         /* 0x80 where x is not 0 */
        letters |= (top >> 7) * 0x0102040810204080u >> 56 << i;      /* one bit for each byte */
    }
    const uint64_t edges = letters ^ (letters << 1 | *inside);
    *inside = letters >> 63;
    return edges;
}

/* MurmurHash3_x86_32 of Austin Appleby with seed 0: the hash of scikit-learn's vectorizers. */
static inline uint32_t crnn_murmur_mix(uint32_t k) {
    return crnn_rotate32(k * 0xcc9e2d51u, 15) * 0x1b873593u;
}

static inline uint32_t crnn_murmur(const uint8_t *word, size_t n) {
    uint32_t h = 0;
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        h = crnn_rotate32(h ^ crnn_murmur_mix(crnn_load32(word + i)), 13) * 5 + 0xe6546b64u;
    h ^= crnn_murmur_mix((uint32_t)crnn_load_tail(word + i, n - i));
    h ^= (uint32_t)n;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

/* SipHash-1-3 of Aumasson and Bernstein, the hash of Python's strings: who does not know the key
 * cannot write words that share a hash. */
#define CRNN_SIP_ROUND                                                                             \
    do {                                                                                           \
        a += b, b = crnn_rotate64(b, 13) ^ a, a = crnn_rotate64(a, 32);                            \
        c += d, d = crnn_rotate64(d, 16) ^ c;                                                      \
        a += d, d = crnn_rotate64(d, 21) ^ a;                                                      \
        c += b, b = crnn_rotate64(b, 17) ^ c, c = crnn_rotate64(c, 32);                            \
    } while (0)

static inline uint64_t crnn_sip(const uint64_t key[2], const uint8_t *word, size_t n) {
    uint64_t a = key[0] ^ 0x736f6d6570736575u, b = key[1] ^ 0x646f72616e646f6du;
    uint64_t c = key[0] ^ 0x6c7967656e657261u, d = key[1] ^ 0x7465646279746573u;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const uint64_t m = crnn_load64(word + i);
        d ^= m;
        CRNN_SIP_ROUND;
        a ^= m;
    }
    const uint64_t last = crnn_load_tail(word + i, n - i) | (uint64_t)n << 56;
    d ^= last;
    CRNN_SIP_ROUND;
    a ^= last;
    c ^= 0xff;
    CRNN_SIP_ROUND;
    CRNN_SIP_ROUND;
    CRNN_SIP_ROUND;
    return a ^ b ^ c ^ d;
}

/* An open table with linear probing. The words stand in `letters` in the order in which they came,
 * a space in front of the first and behind each; so no word starts at 0, which marks a free slot. */
typedef struct {
    size_t start;
    uint32_t hash;
    int32_t id;
} crnn_slot;

typedef struct {
    crnn_slot *slots;
    size_t n_slots, n_words; /* the first is 0 or a power of two */
    uint8_t *letters;
    size_t n_letters, room;
} crnn_words;

static inline int crnn_same(const uint8_t *x, const uint8_t *y, size_t n) {
    for (; n >= 8; n -= 8, x += 8, y += 8)
        if (crnn_load64(x) != crnn_load64(y)) return 0;
    return crnn_load_tail(x, n) == crnn_load_tail(y, n);
}

/* The slot of a word with a space behind, or the free one where it belongs; there must be one. */
static inline crnn_slot *crnn_find(const crnn_words *words, uint32_t hash, const uint8_t *word,
                                   size_t n) {
    const size_t mask = words->n_slots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        crnn_slot *slot = words->slots + i;
        if (!slot->start
            || (slot->hash == hash && crnn_same(words->letters + slot->start, word, n + 1)))
            return slot;
    }
}

/* Make room for one more word of n bytes; 0 if there is no memory. Slots may move. */
static int crnn_reserve(crnn_words *words, size_t n) {
    const size_t needed = words->n_letters + n + 10; /* spaces, and what may be read behind */
    if (needed > words->room) {
        uint8_t *letters = (uint8_t *)PyMem_RawRealloc(words->letters, 2 * needed);
        if (!letters) return 0;
        memset(letters + words->room, ' ', 2 * needed - words->room);
        words->letters = letters;
        words->room = 2 * needed;
    }
    if (3 * words->n_slots > 4 * words->n_words) return 1;
    const size_t n_slots = words->n_slots ? 2 * words->n_slots : 512, mask = n_slots - 1;
    crnn_slot *slots = (crnn_slot *)PyMem_RawCalloc(n_slots, sizeof(crnn_slot));
    if (!slots) return 0;
    for (size_t j = 0; j < words->n_slots; j++) {
        if (!words->slots[j].start) continue;
        size_t i = words->slots[j].hash & mask;
        while (slots[i].start) i = (i + 1) & mask;
        slots[i] = words->slots[j];
    }
    PyMem_RawFree(words->slots);
    words->slots = slots;
    words->n_slots = n_slots;
    return 1;
}

/* Put a new word into its free slot, for which room has been made. */
static inline void crnn_keep(crnn_words *words, crnn_slot *slot, uint32_t hash,
                             const uint8_t *word, size_t n, int32_t id) {
    if (!words->n_letters) words->n_letters = 1;
    *slot = (crnn_slot){words->n_letters, hash, id};
    memcpy(words->letters + words->n_letters, word, n);
    words->n_letters += n + 1;
    words->n_words++;
}

static void crnn_free_words(crnn_words *words) {
    PyMem_RawFree(words->slots);
    PyMem_RawFree(words->letters);
}

#endif
