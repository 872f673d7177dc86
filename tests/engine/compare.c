/* Compares the kernels of this machine with the portable ones, on random and extreme numbers. Says what differs.

   Serves where there is no Python: aecodec/engine/native/{portable,neon,...,network,machine}.c and this, see
   tests/engine/test_emulated.py. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"

static uint64_t state = 1;

static uint32_t number(void) { /* Knuth's linear congruential generator */
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static int16_t activation(int extreme) {
    static const int16_t ends[] = {INT16_MIN, INT16_MIN + 1, 0, 1, INT16_MAX};
    return extreme ? ends[number() % 5] : (int16_t)(number() % 6001 - 3000);
}

static int add(struct network *network, int index, struct layer layer, ptrdiff_t inputs, ptrdiff_t outputs, int extreme) {
    network->layers[index] = layer;
    if (!inputs) return 0;
    int16_t *weight = malloc((size_t)(inputs * outputs) * sizeof *weight);
    int32_t *bias = malloc((size_t)outputs * sizeof *bias);
    uint8_t *shift = malloc((size_t)outputs);
    if (!weight || !bias || !shift) abort();
    for (ptrdiff_t i = 0; i < inputs * outputs; i++)
        weight[i] = (int16_t)(extreme ? INT16_MAX - (int)(number() % 2) * 2 * INT16_MAX : (int)(number() % 601) - 300);
    for (ptrdiff_t i = 0; i < outputs; i++) {
        shift[i] = (uint8_t)(extreme ? number() % 32 : 8 + number() % 4);
        bias[i] = (int32_t)(extreme ? number() * 2u : number() % 20000);
    }
    const struct matrix matrix = {weight, bias, shift, inputs, outputs};
    int failed = layer_pack(network, &network->layers[index], 0, &matrix);
    free(weight);
    free(bias);
    free(shift);
    return failed;
}

/* A residual block, depth to space, and a 3x3 convolution of stride 2: all that kernels have a part in. */
static struct network *build(const struct kernels *kernels, ptrdiff_t c, int extreme) {
    const int32_t whole = 1 << 15;
    struct network *network = network_new(kernels, 7);
    if (!network || add(network, 0, (struct layer){.kind = DENSE, .source = 0, .skip = -1, .block = 1, .slope = 3277}, c, c, extreme) ||
        add(network, 1, (struct layer){.kind = DEPTHWISE, .source = 1, .skip = -1, .block = 1}, 9, c, extreme) ||
        add(network, 2, (struct layer){.kind = DENSE, .source = 2, .skip = 0, .block = 1, .slope = whole}, c, c, extreme) ||
        add(network, 3, (struct layer){.kind = DENSE, .source = 3, .skip = -1, .block = 1, .slope = 4096}, c, 4 * c, extreme) ||
        add(network, 4, (struct layer){.kind = DEPTH_TO_SPACE, .source = 4, .skip = -1, .block = 2}, 0, 0, extreme) ||
        add(network, 5, (struct layer){.kind = NEIGHBOURHOODS, .source = 5, .skip = -1, .block = 1}, 0, 0, extreme) ||
        add(network, 6, (struct layer){.kind = DENSE, .source = 6, .skip = -1, .block = 1, .slope = 0}, 9 * c, 5, extreme))
        abort();
    return network;
}

static int compare(const struct kernels *kernels, ptrdiff_t channels, int extreme) {
    enum { COUNT = 2, HEIGHT = 5, WIDTH = 11, POSITIONS = COUNT * HEIGHT * WIDTH };
    const struct shape shape = {HEIGHT, WIDTH, channels};
    int16_t *x = malloc((size_t)(POSITIONS * channels) * sizeof *x), y[2][POSITIONS * 5];
    if (!x) abort();
    for (ptrdiff_t i = 0; i < POSITIONS * channels; i++) x[i] = activation(extreme);
    const uint64_t before = state;
    for (int i = 0; i < 2; i++) {
        state = before;
        struct network *network = build(i ? kernels : &portable_kernels, channels, extreme);
        const struct rows all = {0, COUNT * HEIGHT};
        if (network_run(network, shape, all, x, y[i])) abort();
        network_free(network);
    }
    free(x);
    return memcmp(y[0], y[1], sizeof y[0]) != 0;
}

int main(void) {
    int differences = 0;
    for (const struct kernels *const *kernels = compiled_kernels(); *kernels; kernels++) {
        if (!(*kernels)->usable()) continue;
        for (ptrdiff_t channels = 1; channels < 80; channels += 3)
            for (int extreme = 0; extreme < 2; extreme++)
                if (compare(*kernels, channels, extreme)) {
                    printf("%s: %d channels%s differ\n", (*kernels)->name, (int)channels, extreme ? ", extreme," : "");
                    differences++;
                }
        printf("%s compared\n", (*kernels)->name);
    }
    return differences != 0;
}
