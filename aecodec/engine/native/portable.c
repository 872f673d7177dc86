/* Kernels in plain C, for machines without others. */

#include <stdint.h>

#include "machine.h"

#define LANES 4
#define VECTORS 2
#define ROWS 2
#define PAIR(lane, i) (2 * (lane) + (i))

typedef struct {
    uint32_t lane[LANES]; /* sums wrap, which signed integers of C do not */
} sums;
typedef struct {
    int16_t at[2 * LANES];
} shorts;
typedef struct {
    int16_t at[2];
} pairs;

INLINE sums sums_load(const int32_t *x) {
    sums y;
    UNROLL for (int i = 0; i < LANES; i++) y.lane[i] = (uint32_t)x[i];
    return y;
}

INLINE sums shifted(sums x, sums by) {
    UNROLL for (int i = 0; i < LANES; i++) x.lane[i] = (uint32_t)((int32_t)x.lane[i] >> by.lane[i]);
    return x;
}

INLINE int16_t saturated(int32_t x) { return (int16_t)(x < INT16_MIN ? INT16_MIN : x > INT16_MAX ? INT16_MAX : x); }

INLINE shorts narrowed(sums low, sums high) {
    shorts y;
    UNROLL for (int i = 0; i < LANES; i++) {
        y.at[i] = saturated((int32_t)low.lane[i]);
        y.at[LANES + i] = saturated((int32_t)high.lane[i]);
    }
    return y;
}

INLINE shorts shorts_load(const int16_t *x) {
    shorts y;
    UNROLL for (int i = 0; i < 2 * LANES; i++) y.at[i] = x[i];
    return y;
}

INLINE void shorts_store(int16_t *y, shorts x) {
    UNROLL for (int i = 0; i < 2 * LANES; i++) y[i] = x.at[i];
}

INLINE shorts added(shorts a, shorts b) {
    UNROLL for (int i = 0; i < 2 * LANES; i++) a.at[i] = saturated(a.at[i] + b.at[i]);
    return a;
}

INLINE shorts leaky(shorts x, int32_t slope) {
    UNROLL for (int i = 0; i < 2 * LANES; i++) {
        int16_t less = (int16_t)((x.at[i] * slope + (1 << 14)) >> 15);
        if (x.at[i] < less) x.at[i] = less;
    }
    return x;
}

INLINE pairs pair_load(const int16_t *x) {
    pairs y = {{x[0], x[1]}};
    return y;
}

INLINE sums dot_pair(sums total, shorts weights, pairs x) {
    UNROLL for (int i = 0; i < LANES; i++)
        total.lane[i] += (uint32_t)(weights.at[2 * i] * x.at[0] + weights.at[2 * i + 1] * x.at[1]);
    return total;
}

INLINE sums dot(sums total, shorts weights, shorts x) {
    UNROLL for (int i = 0; i < LANES; i++)
        total.lane[i] += (uint32_t)(weights.at[2 * i] * x.at[2 * i] + weights.at[2 * i + 1] * x.at[2 * i + 1]);
    return total;
}

INLINE shorts zip_low(shorts a, shorts b) {
    shorts y;
    UNROLL for (int i = 0; i < LANES; i++) {
        y.at[2 * i] = a.at[i];
        y.at[2 * i + 1] = b.at[i];
    }
    return y;
}

INLINE shorts zip_high(shorts a, shorts b) {
    shorts y;
    UNROLL for (int i = 0; i < LANES; i++) {
        y.at[2 * i] = a.at[LANES + i];
        y.at[2 * i + 1] = b.at[LANES + i];
    }
    return y;
}

#include "kernels.h"

static int usable(void) { return 1; }

const struct kernels portable_kernels = KERNELS("portable", usable);
