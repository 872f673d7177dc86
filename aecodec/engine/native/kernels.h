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

/* Two vectors of sums of one position on their way out, of whose outputs there are `count`. */
INLINE void store_sums(sums low, sums high, const int32_t *shift, int32_t slope, const int16_t *skip, int16_t *y,
                       ptrdiff_t count) {
    shorts value = narrowed(shifted(low, sums_load(shift)), shifted(high, sums_load(shift + LANES)));
    if (slope < 1 << 15) value = leaky(value, slope);
    if (skip) value = added(value, load_some(skip, count));
    store_some(y, value, count);
}

/* Sums have names of their own, not places in an array: no compiler leaves those in memory. */
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define BEGIN(r) sums total##r##_0 = bias_0, total##r##_1 = bias_1, total##r##_2 = bias_2, total##r##_3 = bias_3;
#define ADD(r)                                                        \
    if (r < rows) {                                                   \
        pairs pair = PAIR_OF(r);                                      \
        total##r##_0 = dot_pair(total##r##_0, weight_0, pair);        \
        total##r##_1 = dot_pair(total##r##_1, weight_1, pair);        \
        if (VECTORS > 2) {                                            \
            total##r##_2 = dot_pair(total##r##_2, weight_2, pair);    \
            total##r##_3 = dot_pair(total##r##_3, weight_3, pair);    \
        }                                                             \
    }
#define END(r)                                                                                                       \
    if (r < rows) {                                                                                                  \
        const int16_t *added_to = skip ? skip + r * at.y_stride : NULL;                                              \
        store_sums(total##r##_0, total##r##_1, shift, slope, added_to, y + r * at.y_stride, outputs);                \
        if (VECTORS > 2 && outputs > WIDTH)                                                                          \
            store_sums(total##r##_2, total##r##_3, shift + WIDTH, slope, added_to ? added_to + WIDTH : NULL,         \
                       y + r * at.y_stride + WIDTH, outputs - WIDTH);                                                \
    }
#define WEIGHTS(from)                                                                                     \
    const shorts weight_0 = shorts_load(from), weight_1 = shorts_load((from) + WIDTH);                    \
    const shorts weight_2 = VECTORS > 2 ? shorts_load((from) + (VECTORS - 2) * WIDTH) : weight_0;         \
    const shorts weight_3 = VECTORS > 2 ? shorts_load((from) + (VECTORS - 1) * WIDTH) : weight_0;         \
    (void)weight_2, (void)weight_3;

/* A panel's outputs, of which there are `outputs`, at `rows` positions. The number of inputs is even or, where that is
   `odd`, one more than that. */
INLINE void dense_block(const int rows, const int odd, const int32_t *panel, ptrdiff_t inputs, ptrdiff_t outputs,
                        int32_t slope, struct positions at, const int16_t *x, const int16_t *skip, int16_t *y) {
    const int32_t *bias = panel, *shift = panel + PANEL;
    const int16_t *weight = (const int16_t *)(shift + PANEL), *end = x + inputs - odd;
    const sums bias_0 = sums_load(bias), bias_1 = sums_load(bias + LANES);
    const sums bias_2 = VECTORS > 2 ? sums_load(bias + (VECTORS - 2) * LANES) : bias_0;
    const sums bias_3 = VECTORS > 2 ? sums_load(bias + (VECTORS - 1) * LANES) : bias_0;
    EACH_ROW(BEGIN)
    if (!odd || x < end) do { /* a loop that may end before it begins has its sums in memory, with gcc 12 */
            WEIGHTS(weight)
#define PAIR_OF(r) pair_load(x + r * at.x_stride)
            EACH_ROW(ADD)
#undef PAIR_OF
            x += 2;
            weight += VECTORS * WIDTH;
        } while (x < end);
    if (odd) {
        WEIGHTS(weight)
#define PAIR_OF(r) pair_load((const int16_t[2]){x[r * at.x_stride], 0})
        EACH_ROW(ADD)
#undef PAIR_OF
    }
    EACH_ROW(END)
}

#define FEW ((ROWS + 2) / 3) /* positions of a block for what is left */

/* The instructions of a block of so many positions, once. */
#define BLOCK(name, rows, odd)                                                                                       \
    static void name(const int32_t *panel, ptrdiff_t inputs, ptrdiff_t outputs, int32_t slope, struct positions at,  \
                     const int16_t *x, const int16_t *skip, int16_t *y) {                                            \
        dense_block(rows, odd, panel, inputs, outputs, slope, at, x, skip, y);                                       \
    }
BLOCK(block_of_all, ROWS, 0)
BLOCK(block_of_few, FEW, 0)
BLOCK(block_of_one, 1, 0)
BLOCK(odd_block_of_one, 1, 1)

/* All outputs of so few positions that their inputs stay in the cache. */
static void dense_positions(const void *packed, ptrdiff_t inputs, ptrdiff_t outputs, int32_t slope,
                            struct positions at, const int16_t *x, const int16_t *skip, int16_t *y) {
    for (ptrdiff_t first = 0; first < outputs; first += PANEL) {
        for (ptrdiff_t done = 0, rows; done < at.count; done += rows) {
            const ptrdiff_t left = at.count - done;
            const int16_t *from = x + done * at.x_stride, *with = skip ? skip + done * at.y_stride + first : NULL;
            int16_t *to = y + done * at.y_stride + first;
            rows = inputs % 2 || left < FEW ? 1 : left < ROWS ? FEW : ROWS;
            if (inputs % 2)
                odd_block_of_one(packed, inputs, outputs - first, slope, at, from, with, to);
            else if (rows == ROWS)
                block_of_all(packed, inputs, outputs - first, slope, at, from, with, to);
            else if (rows > 1)
                block_of_few(packed, inputs, outputs - first, slope, at, from, with, to);
            else
                block_of_one(packed, inputs, outputs - first, slope, at, from, with, to);
        }
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

/* Nine taps and nothing, so paired that neighbours share what is zipped: the upper two of each column, then the lower
   ones of the first two columns. */
#define TAP_PAIRS 5
#define TAP(pair, i) ((pair) < 3 ? (pair) + 3 * (i) : (pair) == 3 ? 6 + (i) : 8 + (i))

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
                for (int i = 0; i < 2 * TAP_PAIRS - 1; i++)
                    weight[(i / 2 * 2 + high) * WIDTH + PAIR(lane, i % 2)] =
                        m->weight[TAP(i / 2, i % 2) * m->outputs + channel];
            }
        packed = (char *)packed + GROUP_SIZE;
    }
}

/* Values of two taps, zipped. */
struct zipped {
    shorts low, high;
};

INLINE struct zipped zip(shorts a, shorts b) { return (struct zipped){zip_low(a, b), zip_high(a, b)}; }

/* A row of one vector of channels, of which there are `count`. */
INLINE void depthwise_row(const int32_t *group, ptrdiff_t channels, ptrdiff_t count, ptrdiff_t width,
                          const int16_t *above, const int16_t *at, const int16_t *below,
                          int16_t *y) {
    const int32_t *bias = group, *shift = group + WIDTH;
    const int16_t *weight = (const int16_t *)(shift + WIDTH);
    const int16_t nothing[WIDTH] = {0};
    const shorts zero = shorts_load(nothing);
#define NEXT(x, i) ((i) < width ? load_some((x) + (i) * channels, count) : zero)
    /* Columns of the upper two rows before, at and after the position; pairs of the lowest row that begin there. */
    struct zipped left = zip(zero, zero), middle = zip(NEXT(above, 0), NEXT(at, 0)), right;
    shorts last = NEXT(below, 1);
    struct zipped below_left = zip(zero, NEXT(below, 0)), below_middle = zip(NEXT(below, 0), last), below_right;
    for (ptrdiff_t column = 0; column < width; column++, y += channels) {
        const shorts next = NEXT(below, column + 2);
        right = zip(NEXT(above, column + 1), NEXT(at, column + 1));
        below_right = zip(last, next);
        sums low = sums_load(bias), high = sums_load(bias + LANES);
#define DOT(pair, of)                                                       \
    low = dot(low, shorts_load(weight + 2 * (pair)*WIDTH), (of).low);       \
    high = dot(high, shorts_load(weight + (2 * (pair) + 1) * WIDTH), (of).high);
        DOT(0, left) DOT(1, middle) DOT(2, right) DOT(3, below_left) DOT(4, below_right)
#undef DOT
        store_some(y, narrowed(shifted(low, sums_load(shift)), shifted(high, sums_load(shift + LANES))), count);
        left = middle;
        middle = right;
        below_left = below_middle;
        below_middle = below_right;
        last = next;
    }
#undef NEXT
}

static void depthwise(const void *packed, ptrdiff_t channels, ptrdiff_t width, const int16_t *const rows[3],
                      int16_t *y) {
    const char *group = packed;
    ptrdiff_t first = 0;
    for (; first + WIDTH <= channels; first += WIDTH, group += GROUP_SIZE)
        depthwise_row((const int32_t *)group, channels, WIDTH, width, rows[0] + first, rows[1] + first,
                      rows[2] + first, y + first);
    if (first < channels)
        depthwise_row((const int32_t *)group, channels, channels - first, width, rows[0] + first, rows[1] + first,
                      rows[2] + first, y + first);
}

#define KERNELS(instructions, is_usable)                                                                              \
    {                                                                                                                  \
        .name = instructions, .usable = is_usable, .dense_size = dense_size, .pack_dense = pack_dense, .dense = dense, \
        .depthwise_size = depthwise_size, .pack_depthwise = pack_depthwise, .depthwise = depthwise                     \
    }
