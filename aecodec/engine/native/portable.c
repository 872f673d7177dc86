/* Kernels in plain C, for machines without others. */

#include <stdint.h>

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

static sums sums_load(const int32_t *x) {
    sums y;
    for (int i = 0; i < LANES; i++) y.lane[i] = (uint32_t)x[i];
    return y;
}

static sums shifted(sums x, sums by) {
    for (int i = 0; i < LANES; i++) x.lane[i] = (uint32_t)((int32_t)x.lane[i] >> by.lane[i]);
    return x;
}

static int16_t saturated(int32_t x) { return (int16_t)(x < INT16_MIN ? INT16_MIN : x > INT16_MAX ? INT16_MAX : x); }

static shorts narrowed(sums low, sums high) {
    shorts y;
    for (int i = 0; i < LANES; i++) {
        y.at[i] = saturated((int32_t)low.lane[i]);
        y.at[LANES + i] = saturated((int32_t)high.lane[i]);
    }
    return y;
}

static shorts shorts_load(const int16_t *x) {
    shorts y;
    for (int i = 0; i < 2 * LANES; i++) y.at[i] = x[i];
    return y;
}

static void shorts_store(int16_t *y, shorts x) {
    for (int i = 0; i < 2 * LANES; i++) y[i] = x.at[i];
}

static shorts added(shorts a, shorts b) {
    for (int i = 0; i < 2 * LANES; i++) a.at[i] = saturated(a.at[i] + b.at[i]);
    return a;
}

static shorts leaky(shorts x, int32_t slope) {
    for (int i = 0; i < 2 * LANES; i++) {
        int16_t less = (int16_t)((x.at[i] * slope + (1 << 14)) >> 15);
        if (x.at[i] < less) x.at[i] = less;
    }
    return x;
}

static pairs pair_load(const int16_t *x) {
    pairs y = {{x[0], x[1]}};
    return y;
}

static sums dot_pair(sums total, shorts weights, pairs x) {
    for (int i = 0; i < LANES; i++)
        total.lane[i] += (uint32_t)(weights.at[2 * i] * x.at[0] + weights.at[2 * i + 1] * x.at[1]);
    return total;
}

static sums dot(sums total, shorts weights, shorts x) {
    for (int i = 0; i < LANES; i++)
        total.lane[i] += (uint32_t)(weights.at[2 * i] * x.at[2 * i] + weights.at[2 * i + 1] * x.at[2 * i + 1]);
    return total;
}

static shorts zip_low(shorts a, shorts b) {
    shorts y;
    for (int i = 0; i < LANES; i++) {
        y.at[2 * i] = a.at[i];
        y.at[2 * i + 1] = b.at[i];
    }
    return y;
}

static shorts zip_high(shorts a, shorts b) {
    shorts y;
    for (int i = 0; i < LANES; i++) {
        y.at[2 * i] = a.at[LANES + i];
        y.at[2 * i + 1] = b.at[LANES + i];
    }
    return y;
}

#include "kernels.h"

static int usable(void) { return 1; }

const struct kernels portable_kernels = KERNELS("portable", usable);
