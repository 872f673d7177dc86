/* Kernels for NEON: four products are added to four sums in an instruction. */

#include "machine.h"

#ifdef AECODEC_ARM64

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#define LANES 4
#define VECTORS 4
#define ROWS 5
#define PAIR(lane, i) (4 * (i) + (lane))

typedef int32x4_t sums;
typedef int16x8_t shorts;
typedef int16x4_t pairs; /* in the first two */

static inline sums sums_load(const int32_t *x) { return vld1q_s32(x); }
static inline sums shifted(sums x, sums by) { return vshlq_s32(x, vnegq_s32(by)); }
static inline shorts narrowed(sums low, sums high) { return vcombine_s16(vqmovn_s32(low), vqmovn_s32(high)); }
static inline shorts shorts_load(const int16_t *x) { return vld1q_s16(x); }
static inline void shorts_store(int16_t *y, shorts x) { vst1q_s16(y, x); }
static inline shorts added(shorts a, shorts b) { return vqaddq_s16(a, b); }
static inline shorts leaky(shorts x, int32_t slope) {
    return vmaxq_s16(x, vqrdmulhq_s16(x, vdupq_n_s16((int16_t)slope)));
}
static inline pairs pair_load(const int16_t *x) {
    int32_t both;
    memcpy(&both, x, sizeof both);
    return vreinterpret_s16_s32(vdup_n_s32(both));
}
static inline sums dot(sums total, shorts weights, shorts x) {
    total = vmlal_s16(total, vget_low_s16(weights), vget_low_s16(x));
    return vmlal_high_s16(total, weights, x);
}
static inline sums dot_pair(sums total, shorts weights, pairs x) {
    total = vmlal_lane_s16(total, vget_low_s16(weights), x, 0);
    return vmlal_high_lane_s16(total, weights, x, 1);
}
static inline shorts zip_low(shorts a, shorts b) { return vcombine_s16(vget_low_s16(a), vget_low_s16(b)); }
static inline shorts zip_high(shorts a, shorts b) { return vcombine_s16(vget_high_s16(a), vget_high_s16(b)); }

#include "kernels.h"

static int usable(void) { return 1; }

const struct kernels neon_kernels = KERNELS("neon", usable);

#endif
