/* Simple loops, which compilers vectorise. */

#include "symbols.h"

#include "machine.h"

#define MEAN_BITS 6    /* fractional bits of means and latents */
#define SCALED_BITS 10 /* of scaled latents */
#define INDEX_SHIFT 3  /* from parameters to scale indices */
#define LAST_INDEX 63
#define LARGEST (1 << 20) /* of absolute symbols */

static inline int16_t saturated(int64_t x) {
    return (int16_t)(x < INT16_MIN ? INT16_MIN : x > INT16_MAX ? INT16_MAX : x);
}

void symbols_expect(struct step at, const int16_t *parameters, const int16_t *correction, int32_t *mean,
                    uint8_t *index) {
    const ptrdiff_t k = at.count;
    for (ptrdiff_t p = 0; p < at.positions; p++, mean += k, index += k) {
        const int16_t *means = parameters + p * 2 * at.all + at.first, *scales = means + at.all;
        const int16_t *more = correction ? correction + p * 2 * k : NULL;
        if (more) {
            VECTORISE for (ptrdiff_t i = 0; i < k; i++) mean[i] = means[i] + more[i];
        } else {
            VECTORISE for (ptrdiff_t i = 0; i < k; i++) mean[i] = means[i];
        }
        for (ptrdiff_t i = 0; i < k; i++) {
            int32_t scale = (scales[i] + (more ? more[k + i] : 0) + (1 << INDEX_SHIFT >> 1)) >> INDEX_SHIFT;
            scale = scale < 0 ? 0 : scale;
            index[i] = (uint8_t)(scale > LAST_INDEX ? LAST_INDEX : scale);
        }
    }
}

void symbols_known(struct step at, const int16_t *parameters, const int32_t *latents, int16_t *y) {
    const ptrdiff_t both = 2 * at.all;
    for (ptrdiff_t p = 0; p < at.positions; p++) {
        for (ptrdiff_t i = 0; i < both; i++) *y++ = *parameters++;
        VECTORISE for (ptrdiff_t i = 0; i < at.first; i++) {
            int32_t x = latents[i];
            x = x < INT16_MIN ? INT16_MIN : x;
            y[i] = (int16_t)(x > INT16_MAX ? INT16_MAX : x);
        }
        y += at.first;
        latents += at.all;
    }
}

void symbols_restore(struct step at, const int32_t *symbols, const int32_t *mean, int32_t *latents) {
    latents += at.first;
    for (ptrdiff_t p = 0; p < at.positions; p++, symbols += at.count, mean += at.count, latents += at.all)
        VECTORISE for (ptrdiff_t i = 0; i < at.count; i++) latents[i] = symbols[i] * (1 << MEAN_BITS) + mean[i];
}

double symbols_quantise(struct step at, const int32_t *scaled, const int32_t *mean, const uint8_t *index,
                        const int32_t *zone, int32_t *symbols) {
    double lost = 0;
    scaled += at.first;
    for (ptrdiff_t p = 0; p < at.positions; p++, scaled += at.all)
        for (ptrdiff_t i = 0; i < at.count; i++, mean++, index++, symbols++) {
            int32_t deviation = scaled[i] - *mean * (1 << (SCALED_BITS - MEAN_BITS));
            int32_t symbol = (deviation + (1 << SCALED_BITS >> 1)) >> SCALED_BITS;
            symbol = symbol < -LARGEST ? -LARGEST : symbol > LARGEST ? LARGEST : symbol;
            if ((deviation < 0 ? -deviation : deviation) < zone[*index]) symbol = 0;
            if (*index == 0 && symbol) lost += (double)symbol * symbol;
            *symbols = symbol;
        }
    return lost;
}

void symbols_scale(ptrdiff_t positions, ptrdiff_t channels, const int16_t *x, const int64_t *factor, int shift,
                   int32_t *y) {
    const int64_t half = (int64_t)1 << shift >> 1;
    for (; positions > 0; positions--, x += channels, y += channels)
        for (ptrdiff_t i = 0; i < channels; i++) y[i] = (int32_t)((x[i] * factor[i] + half) >> shift);
}

void symbols_scale_saturated(ptrdiff_t positions, ptrdiff_t channels, const int16_t *x, const int64_t *factor,
                             int shift, int16_t *y) {
    const int64_t half = (int64_t)1 << shift >> 1;
    for (; positions > 0; positions--, x += channels, y += channels)
        for (ptrdiff_t i = 0; i < channels; i++) y[i] = saturated((x[i] * factor[i] + half) >> shift);
}

void symbols_unscale(ptrdiff_t positions, ptrdiff_t channels, const int32_t *x, const int64_t *factor, int shift,
                     int16_t *y) {
    const int64_t half = (int64_t)1 << shift >> 1;
    for (; positions > 0; positions--, x += channels, y += channels)
        for (ptrdiff_t i = 0; i < channels; i++) y[i] = saturated((x[i] * factor[i] + half) >> shift);
}
