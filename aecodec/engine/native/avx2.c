/* Kernels for AVX2: 16 products and 8 sums in an instruction, and another one to add them up. */

#include "machine.h"

#ifdef AECODEC_X86

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC target("avx2")
#endif

#define LANES 8
#define VECTORS 2
#define ROWS 6
#define PAIR(lane, i) (2 * (lane) + (i))

#ifdef __GNUC__ /* the type that additions have: copies of others go through memory, with gcc 12 */
typedef int32_t sums __attribute__((vector_size(32), may_alias));
#else
typedef __m256i sums;
#endif
typedef __m256i shorts;
typedef __m256i pairs;

static inline sums sums_load(const int32_t *x) { return (sums)_mm256_loadu_si256((const __m256i *)x); }
static inline sums shifted(sums x, sums by) { return (sums)_mm256_srav_epi32((__m256i)x, (__m256i)by); }
static inline shorts narrowed(sums low, sums high) { return _mm256_packs_epi32((__m256i)low, (__m256i)high); }
static inline shorts shorts_load(const int16_t *x) { return _mm256_loadu_si256((const __m256i *)x); }
static inline void shorts_store(int16_t *y, shorts x) { _mm256_storeu_si256((__m256i *)y, x); }
static inline shorts added(shorts a, shorts b) { return _mm256_adds_epi16(a, b); }
static inline shorts leaky(shorts x, int32_t slope) {
    return _mm256_max_epi16(x, _mm256_mulhrs_epi16(x, _mm256_set1_epi16((int16_t)slope)));
}
static inline pairs pair_load(const int16_t *x) {
    int32_t both;
    memcpy(&both, x, sizeof both);
    return _mm256_set1_epi32(both);
}
static inline sums dot(sums total, shorts weights, shorts x) {
    return (sums)_mm256_add_epi32((__m256i)total, _mm256_madd_epi16(x, weights));
}
static inline sums dot_pair(sums total, shorts weights, pairs x) { return dot(total, weights, x); }
static inline shorts zip_low(shorts a, shorts b) { return _mm256_unpacklo_epi16(a, b); }
static inline shorts zip_high(shorts a, shorts b) { return _mm256_unpackhi_epi16(a, b); }

#include "kernels.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

static int usable(void) { return machine_has_avx2(); }

const struct kernels avx2_kernels = KERNELS("avx2", usable);

#endif
