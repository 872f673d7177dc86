/* Kernels for AVX-512 with VNNI: 32 products and 16 sums, added up, in an instruction. */

#include "machine.h"

#ifdef AECODEC_X86

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vnni"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC target("avx512f,avx512bw,avx512vnni")
#endif

#define LANES 16
#define VECTORS 2
#define ROWS 12
#define PAIR(lane, i) (2 * (lane) + (i))

/* Of the type that the instruction has: between others, gcc 12 copies sums, and through memory. */
#ifdef __GNUC__
typedef int32_t sums __attribute__((vector_size(64), may_alias));
#else
typedef __m512i sums;
#endif
typedef __m512i shorts;
typedef __m512i pairs;

static inline sums sums_load(const int32_t *x) { return (sums)_mm512_loadu_si512((const __m512i *)x); }
static inline sums shifted(sums x, sums by) { return (sums)_mm512_srav_epi32((__m512i)x, (__m512i)by); }
static inline shorts narrowed(sums low, sums high) { return _mm512_packs_epi32((__m512i)low, (__m512i)high); }
static inline shorts shorts_load(const int16_t *x) { return _mm512_loadu_si512((const __m512i *)x); }
static inline void shorts_store(int16_t *y, shorts x) { _mm512_storeu_si512((__m512i *)y, x); }
static inline shorts added(shorts a, shorts b) { return _mm512_adds_epi16(a, b); }
static inline shorts leaky(shorts x, int32_t slope) {
    return _mm512_max_epi16(x, _mm512_mulhrs_epi16(x, _mm512_set1_epi16((int16_t)slope)));
}
static inline pairs pair_load(const int16_t *x) {
    int32_t both;
    memcpy(&both, x, sizeof both);
    return _mm512_set1_epi32(both);
}
static inline sums dot(sums total, shorts weights, shorts x) {
    return (sums)_mm512_dpwssd_epi32((__m512i)total, x, weights);
}
static inline sums dot_pair(sums total, shorts weights, pairs x) { return dot(total, weights, x); }
static inline shorts zip_low(shorts a, shorts b) { return _mm512_unpacklo_epi16(a, b); }
static inline shorts zip_high(shorts a, shorts b) { return _mm512_unpackhi_epi16(a, b); }

#include "kernels.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

static int usable(void) { return machine_has_avx512vnni(); }

const struct kernels avx512vnni_kernels = KERNELS("avx512vnni", usable);

#endif
