/* The inner loops, over the primitives of one instruction set. Every file that includes this defines before:

     LANES                int32 sums in a vector, a multiple of 4
     VECTORS, ROWS        vectors of sums by positions that a block of a dense product keeps in registers; VECTORS is even
     PAIR(lane, i)        where a vector of 2 * LANES weights has the one of a lane and input i of a pair

     sums                 LANES int32
     shorts               2 * LANES int16
     pairs                two int16, for all lanes

     sums sums_load(const int32_t *)
     sums shifted(sums, sums)                     right, each lane by its own amount
     shorts narrowed(sums low, sums high)         saturated; lane l of low becomes element BESIDE(l, 0)
     shorts shorts_load(const int16_t *), void shorts_store(int16_t *, shorts)
     shorts added(shorts, shorts)                 saturated
     shorts leaky(shorts, int32_t slope)          as the definition says
     pairs pair_load(const int16_t *)
     sums dot_pair(sums, shorts weights, pairs)   each lane's sum plus the products of its two weights with the pair
     sums dot(sums, shorts weights, shorts)       the same with values that differ by lane
     shorts zip_low(shorts a, shorts b)           the values of a and b that belong to lanes BESIDE(l, 0), for dot
     shorts zip_high(shorts a, shorts b)          BESIDE(l, 1)                                                        */

#include <string.h>

#include "machine.h"
#include "network.h"

/* What narrows two vectors of sums to one of int16 takes four lanes of each in turn, on all machines alike. */
#define BESIDE(lane, high) ((lane) / 4 * 8 + 4 * (high) + (lane) % 4)

#define PANEL (VECTORS * LANES) /* outputs that are computed together */
#define WIDTH (2 * LANES)       /* int16 in a vector */

/* Bias and shift of a panel, then its weights [inputs / 2][VECTORS][LANES][2]. */
static size_t panel_size(ptrdiff_t inputs) {
    return 2 * PANEL * sizeof(int32_t) + (size_t)(inputs + 1) / 2 * PANEL * 2 * sizeof(int16_t);
}

static size_t dense_size(ptrdiff_t inputs, ptrdiff_t outputs) {
    return (size_t)((outputs + PANEL - 1) / PANEL) * panel_size(inputs);
}

static void pack_dense(void *packed, const struct matrix *m) {
    memset(packed, 0, dense_size(m->inputs, m->outputs));
    for (ptrdiff_t first = 0; first < m->outputs; first += PANEL) {
        int32_t *bias = packed, *shift = bias + PANEL;
        int16_t *weight = (int16_t *)(shift + PANEL);
        for (int v = 0; v < VECTORS; v++)
            for (int lane = 0; lane < LANES; lane++) {
                ptrdiff_t output = first + v / 2 * WIDTH + BESIDE(lane, v % 2);
                if (output >= m->outputs) continue;
                bias[v * LANES + lane] = m->bias[output];
                shift[v * LANES + lane] = m->shift[output];
                for (ptrdiff_t i = 0; i < m->inputs; i++)
                    weight[(i / 2 * VECTORS + v) * WIDTH + PAIR(lane, i % 2)] = m->weight[i * m->outputs + output];
            }
        packed = (char *)packed + panel_size(m->inputs);
    }
}

INLINE void store_some(int16_t *y, shorts value, ptrdiff_t count) {
    int16_t all[WIDTH];
    if (count >= WIDTH) {
        shorts_store(y, value);
    } else if (count > 0) {
        shorts_store(all, value);
        memcpy(y, all, (size_t)count * sizeof *y);
    }
}

INLINE shorts load_some(const int16_t *x, ptrdiff_t count) {
    int16_t all[WIDTH] = {0};
    if (count >= WIDTH) return shorts_load(x);
    if (count > 0) memcpy(all, x, (size_t)count * sizeof *x);
    return shorts_load(all);
}

/* A panel's outputs, of which there are `outputs`, at `rows` positions. */
INLINE void dense_block(const int rows, const int32_t *panel, ptrdiff_t inputs, ptrdiff_t outputs, int32_t slope,
                        struct positions at, const int16_t *x, const int16_t *skip, int16_t *y) {
    const int32_t *bias = panel, *shift = panel + PANEL;
    const int16_t *weight = (const int16_t *)(shift + PANEL);
    sums total[ROWS][VECTORS];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < VECTORS; v++) total[r][v] = sums_load(bias + v * LANES);
    for (ptrdiff_t i = 0; i + 2 <= inputs; i += 2) {
        UNROLL for (int r = 0; r < rows; r++) {
            pairs pair = pair_load(x + r * at.x_stride + i);
            UNROLL for (int v = 0; v < VECTORS; v++)
                total[r][v] = dot_pair(total[r][v], shorts_load(weight + v * WIDTH), pair);
        }
        weight += VECTORS * WIDTH;
    }
    if (inputs % 2) {
        UNROLL for (int r = 0; r < rows; r++) {
            const int16_t last[2] = {x[r * at.x_stride + inputs - 1], 0};
            pairs pair = pair_load(last);
            UNROLL for (int v = 0; v < VECTORS; v++)
                total[r][v] = dot_pair(total[r][v], shorts_load(weight + v * WIDTH), pair);
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < VECTORS; v += 2) {
            ptrdiff_t first = v * LANES, where = r * at.y_stride + first;
            shorts value = narrowed(shifted(total[r][v], sums_load(shift + first)),
                                    shifted(total[r][v + 1], sums_load(shift + first + LANES)));
            if (slope < 1 << 15) value = leaky(value, slope);
            if (skip) value = added(value, load_some(skip + where, outputs - first));
            store_some(y + where, value, outputs - first);
        }
}

/* All outputs of so few positions that their inputs stay in the cache. */
static void dense_positions(const void *packed, ptrdiff_t inputs, ptrdiff_t outputs, int32_t slope,
                            struct positions at, const int16_t *x, const int16_t *skip, int16_t *y) {
    for (ptrdiff_t first = 0; first < outputs; first += PANEL) {
        ptrdiff_t done = 0;
        for (; done + ROWS <= at.count; done += ROWS)
            dense_block(ROWS, packed, inputs, outputs - first, slope, at, x + done * at.x_stride,
                        skip ? skip + done * at.y_stride + first : NULL, y + done * at.y_stride + first);
        for (; done < at.count; done++)
            dense_block(1, packed, inputs, outputs - first, slope, at, x + done * at.x_stride,
                        skip ? skip + done * at.y_stride + first : NULL, y + done * at.y_stride + first);
        packed = (const char *)packed + panel_size(inputs);
    }
}

#define CACHED_INPUTS 32768 /* bytes */

static void dense(const void *packed, ptrdiff_t inputs, ptrdiff_t outputs, int32_t slope, struct positions at,
                  const int16_t *x, const int16_t *skip, int16_t *y) {
    const ptrdiff_t blocks = CACHED_INPUTS / (ROWS * inputs * (ptrdiff_t)sizeof *x), most = ROWS * (blocks + !blocks);
    for (ptrdiff_t left = at.count; left > 0; left -= most) {
        at.count = left < most ? left : most;
        dense_positions(packed, inputs, outputs, slope, at, x, skip, y);
        x += most * at.x_stride;
        y += most * at.y_stride;
        if (skip) skip += most * at.y_stride;
    }
}

#define TAP_PAIRS 5 /* nine taps and nothing */

/* Bias and shift of as many channels as fit into a vector of int16, then the weights [TAP_PAIRS][2][LANES][2]. */
#define GROUP_SIZE (2 * WIDTH * sizeof(int32_t) + TAP_PAIRS * 2 * WIDTH * sizeof(int16_t))

static size_t depthwise_size(ptrdiff_t channels) { return (size_t)((channels + WIDTH - 1) / WIDTH) * GROUP_SIZE; }

static void pack_depthwise(void *packed, const struct matrix *m) {
    memset(packed, 0, depthwise_size(m->outputs));
    for (ptrdiff_t first = 0; first < m->outputs; first += WIDTH) {
        int32_t *bias = packed, *shift = bias + WIDTH;
        int16_t *weight = (int16_t *)(shift + WIDTH);
        for (int high = 0; high < 2; high++)
            for (int lane = 0; lane < LANES; lane++) {
                ptrdiff_t channel = first + BESIDE(lane, high);
                if (channel >= m->outputs) continue;
                bias[high * LANES + lane] = m->bias[channel];
                shift[high * LANES + lane] = m->shift[channel];
                for (int tap = 0; tap < 9; tap++)
                    weight[(tap / 2 * 2 + high) * WIDTH + PAIR(lane, tap % 2)] = m->weight[tap * m->outputs + channel];
            }
        packed = (char *)packed + GROUP_SIZE;
    }
}

/* One vector of channels, of which there are `count`, at one position. */
INLINE void depthwise_block(const int32_t *group, const int16_t *const *taps, ptrdiff_t first, ptrdiff_t count,
                            int16_t *y) {
    const int32_t *bias = group, *shift = group + WIDTH;
    const int16_t *weight = (const int16_t *)(shift + WIDTH);
    sums low = sums_load(bias), high = sums_load(bias + LANES);
    UNROLL for (int p = 0; p < TAP_PAIRS; p++) {
        shorts a = load_some(taps[2 * p] + first, count), b = load_some(taps[2 * p + 1] + first, count);
        low = dot(low, shorts_load(weight + 2 * p * WIDTH), zip_low(a, b));
        high = dot(high, shorts_load(weight + (2 * p + 1) * WIDTH), zip_high(a, b));
    }
    shorts value = narrowed(shifted(low, sums_load(shift)), shifted(high, sums_load(shift + LANES)));
    store_some(y + first, value, count);
}

static void depthwise(const void *packed, ptrdiff_t channels, ptrdiff_t width, const int16_t *const rows[3],
                      const int16_t *zeros, int16_t *y) {
    for (ptrdiff_t column = 0; column < width; column++) {
        const int16_t *taps[2 * TAP_PAIRS];
        const char *group = packed;
        ptrdiff_t first = 0;
        for (int tap = 0; tap < 9; tap++) {
            ptrdiff_t at = column + tap % 3 - 1;
            taps[tap] = at < 0 || at >= width ? zeros : rows[tap / 3] + at * channels;
        }
        taps[9] = zeros;
        for (; first + WIDTH <= channels; first += WIDTH, group += GROUP_SIZE)
            depthwise_block((const int32_t *)group, taps, first, WIDTH, y);
        if (first < channels) depthwise_block((const int32_t *)group, taps, first, channels - first, y);
        y += channels;
    }
}

#define KERNELS(instructions, is_usable)                                                                              \
    {                                                                                                                  \
        .name = instructions, .usable = is_usable, .dense_size = dense_size, .pack_dense = pack_dense, .dense = dense, \
        .depthwise_size = depthwise_size, .pack_depthwise = pack_depthwise, .depthwise = depthwise                     \
    }
