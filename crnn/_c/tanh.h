/* tanh of one number, written so that a loop over an array of them becomes SIMD code.
 *
 * Straight-line code: no branch, no table, no call, and no conversion between integers and reals,
 * so SSE2 suffices and AVX2 or AVX-512 are used where the surrounding function allows them. With
 * gcc and clang the loop needs -fno-math-errno and -fno-trapping-math to be vectorised. Neither
 * -ffast-math nor x87 arithmetic will do: the rounding of n below has to happen as written. The
 * largest errors, in units in the last place of the exact value, with a*b + c fused or not:
 *
 *     tanh_f32   2.69   over every float
 *     tanh_f64   2.81   over 10^8 random numbers
 *
 * Both are exactly odd, keep the sign of zero, return NaN for NaN and small x (subnormal ones too)
 * for itself, never exceed 1 in magnitude, and are exactly +-1 for |x| >= 10 and 22 respectively.
 *
 * The algebra. Split a = |x| as a = n L + h with L = ln(2)/2 and n an integer, and put E = 2^n/2,
 * which makes exp(2a) = 2 E exp(2h), and T = tanh(h) = h/q with q = h coth(h). Then
 *
 *     tanh(a) = (2E (1 + T) - (1 - T)) / (2E (1 + T) + (1 - T))
 *             = (2E (q + h) - (q - h)) / (2E (q + h) + (q - h)).
 *
 * q = 1 + u is even in h and close to 1; u = h^2 (1/3 - h^2/45 + 2 h^4/945 - ...), whose series
 * converges like (h/pi)^2, so few terms do. Half of numerator and denominator, with v = u + h and
 * z = (E - 1/2) (1 + v), are
 *
 *     tanh(a) = (z + h) / (z + u + 1),
 *
 * free of cancellation where it would hurt: n = 0 gives z = 0 and h / (1 + u). As u >= 0 and h < 1,
 * the denominator is at least the numerator, also after rounding, which is monotone: the quotient
 * cannot exceed 1. For a as large as the bounds at which it is cut off, h and u + 1 are lost in z
 * and the quotient is 1.
 *
 * n is found by adding 1.5 * 2^p, p the number of stored bits of the significand: the sum has n in
 * its lowest bits, and with the exponent's bias added to it as well, minus 1, a shift makes them
 * the exponent of E. Plain rounding of a/L would let n = 2 begin at a = 0.52, where the result is
 * just below 1/2 and its unit in the last place smallest compared with the rounding errors; n is
 * taken slightly low, so that n = 1 lasts until tanh has passed 1/2 (a = 0.5493). One product n L
 * suffices: n L is exact for n = 1, 2, 4, and the slope of tanh damps what is lost for the others.
 */
#ifndef CRNN_TANH_H
#define CRNN_TANH_H

#include <stdint.h>
#include <string.h>

/* n = round(2.725 a), lower than a/L = 2.885 a by a growing amount, and h reaches 0.64 at a = 10;
 * but the weight of u falls faster, like exp(-2a). Coefficients of u/h^2: minimax (Remez) for
 * |h| <= L/2, then the pair near it that a search found to have the least error after rounding. */
static inline float tanh_f32(float x)
{
    const float magic = 12582912.0f + 126.0f;
    uint32_t bits, sign;
    float a, k, n, e, h, s, w, v, z, y;

    memcpy(&bits, &x, sizeof bits);
    sign = bits & UINT32_C(0x80000000);
    bits ^= sign;
    memcpy(&a, &bits, sizeof a);
    a = a > 10.0f ? 10.0f : a; /* false for NaN, which goes on */

    k = a * 2.725f + magic;
    n = k - magic;
    memcpy(&bits, &k, sizeof bits);
    bits <<= 23;
    memcpy(&e, &bits, sizeof e);
    h = a - n * 0.346573591f;

    s = h * h;
    w = 0.333331585f - s * 0.0221021008f;
    v = w * s + h;
    e = e - 0.5f;
    z = e * v + e;
    y = (z + h) / ((w * s + z) + 1.0f);

    memcpy(&bits, &y, sizeof bits);
    bits |= sign;
    memcpy(&y, &bits, sizeof y);
    return y;
}

/* n = round(a/L - 0.09), hence -0.142 <= h <= 0.2045 throughout. Coefficients of u/h^2: minimax
 * (Remez) of degree 4 in h^2 for |h| <= 0.59 L, with error 2^-57 relative to q. */
static inline double tanh_f64(double x)
{
    const double magic = 6755399441055744.0 + 1022.0;
    uint64_t bits, sign;
    double a, k, n, e, h, s, w, v, z, y;

    memcpy(&bits, &x, sizeof bits);
    sign = bits & UINT64_C(0x8000000000000000);
    bits ^= sign;
    memcpy(&a, &bits, sizeof a);
    a = a > 22.0 ? 22.0 : a;

    k = (a * 2.8853900817779268 - 0.09) + magic;
    n = k - magic;
    memcpy(&bits, &k, sizeof bits);
    bits <<= 52;
    memcpy(&e, &bits, sizeof e);
    h = a - n * 0.34657359027997264;

    s = h * h;
    w = 2.1113234567169896e-05;
    w = w * s - 0.00021162811955324363;
    w = w * s + 0.002116401865240952;
    w = w * s - 0.022222222219945003;
    w = w * s + 0.33333333333332665;
    v = w * s + h;
    e = e - 0.5;
    z = e * v + e;
    y = (z + h) / ((w * s + z) + 1.0);

    memcpy(&bits, &y, sizeof bits);
    bits |= sign;
    memcpy(&y, &bits, sizeof y);
    return y;
}

#endif
