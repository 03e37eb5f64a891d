/* Branch-free tanh for loops that the compiler vectorises.
 *
 *     static inline float  tanh_f32(float x);
 *     static inline double tanh_f64(double x);
 *
 * Both are straight-line code, without table, library call or conversion
 * between integers and reals, so that a plain loop over an array becomes SIMD
 * code with SSE2, AVX2 or AVX-512 alike.  Both are exactly odd (the sign of
 * zero is kept), map NaN to NaN, never exceed 1 in magnitude and are exactly
 * +-1 from some point on.  They need -fno-math-errno -fno-trapping-math to be
 * vectorised and must not be compiled with -ffast-math.  They are accurate
 * with and without contraction of a*b + c to a fused multiply-add.
 */
#ifndef CRNN_TANH_H
#define CRNN_TANH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float tanh_f32(float x)
{
    const float c = 8.4f;
    float t, p, q;
    x = x > c ? c : x;
    x = x < -c ? -c : x;
    t = x * x;
    p = 1.445777733493594e-08f;
    p = p * t + 2.1379717487122063e-05f;
    p = p * t + 0.0035416139104600644f;
    p = p * t + 0.1341957675120921f;
    p = p * t + 1.0f;
    q = 8.219929646541829e-07f;
    q = q * t + 0.0003361421562653336f;
    q = q * t + 0.026051426167384432f;
    q = q * t + 0.4675290057836985f;
    q = q * t + 1.0f;
    return x * p / q;
}

static inline double tanh_f64(double x)
{
    const double magic = 6755399441055744.0 + 1023.0;
    double a, k, n, h, t, w, e, v, g, num;
    uint64_t bits;

    a = fabs(x);
    a = a > 22.0 ? 22.0 : a;
    k = a * 2.8853900817779268 + magic;
    n = k - magic;
    memcpy(&bits, &k, sizeof bits);
    bits <<= 52;
    memcpy(&e, &bits, sizeof e);
    h = a - n * 0.3465735902799736;
    h = h + n * 9.320943368621517e-16;

    t = h * h;
    w = 2.1187258410873282e-05;
    w = w * t - 0.00021163394797191003;
    w = w * t + 0.00211640202284672;
    w = w * t - 0.022222222221612183;
    w = w * t + 0.33333333333333204;
    v = w * t + h;
    g = w * t + (1.0 - h);
    e = e - 1.0;
    num = e + (e * v + (h + h));
    return copysign(num / (2.0 * g + num), x);
}

#endif
