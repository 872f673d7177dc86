/* Networks in fixed point. The arithmetic is defined at the head of aecodec/engine/__init__.py. No Python in here. */
#ifndef AECODEC_NETWORK_H
#define AECODEC_NETWORK_H

#include <stddef.h>
#include <stdint.h>

enum kind { DENSE, DEPTHWISE, SPACE_TO_DEPTH, DEPTH_TO_SPACE, NEIGHBOURHOODS, FROM_PIXELS, TO_PIXELS, PHASED };

/* A matrix (inputs, outputs) row by row, with the bias and the shift of each output; inputs are 9 of a depthwise layer. */
struct matrix {
    const int16_t *weight;
    const int32_t *bias;
    const uint8_t *shift;
    ptrdiff_t inputs, outputs;
};

/* Positions of activations: `stride` apart, in int16. */
struct positions {
    ptrdiff_t count, x_stride, y_stride;
};

/* What one instruction set does. Both layers read weights in an order of its own, packed once. */
struct kernels {
    const char *name;
    int (*usable)(void);
    size_t (*dense_size)(ptrdiff_t inputs, ptrdiff_t outputs); /* in bytes */
    void (*pack_dense)(void *packed, const struct matrix *matrix);
    /* `slope` of 2^15 leaves what is below zero; `skip`, laid out as y, is added unless it is NULL. */
    void (*dense)(const void *packed, ptrdiff_t inputs, ptrdiff_t outputs, int32_t slope, struct positions at,
                  const int16_t *x, const int16_t *skip, int16_t *y);
    size_t (*depthwise_size)(ptrdiff_t channels);
    void (*pack_depthwise)(void *packed, const struct matrix *matrix);
    /* A row y (width, channels) of the rows above, at and below it. */
    void (*depthwise)(const void *packed, ptrdiff_t channels, ptrdiff_t width, const int16_t *const rows[3],
                      int16_t *y);
};

extern const struct kernels portable_kernels, avx2_kernels, avx512vnni_kernels, neon_kernels;

/* The kernels for this kind of processor, the fastest first, NULL after the last one; not all may be usable. */
const struct kernels *const *compiled_kernels(void);

/* A layer reads stream `source`; stream 0 is the input, and layer i writes stream i + 1. */
struct layer {
    enum kind kind;
    int source;
    int skip;          /* the stream that a DENSE adds, or -1 */
    int block;         /* of the kinds that move blocks */
    int fraction;      /* fractional bits, of TO_PIXELS */
    int32_t slope;     /* of DENSE and PHASED */
    ptrdiff_t inputs;  /* of DENSE and PHASED; channels of DEPTHWISE */
    ptrdiff_t outputs; /* of DENSE and PHASED */
    void *packed[4];   /* weights; one for each phase of PHASED */
};

struct network {
    const struct kernels *kernels;
    int count;
    struct layer layers[];
};

struct shape {
    ptrdiff_t height, width, channels;
};

/* A network of `count` layers, all zero, to be filled in by the caller, or NULL where memory is short. */
struct network *network_new(const struct kernels *kernels, int count);
void network_free(struct network *network);

/* Packs the weights of a phase. 0, or -1 where memory is short. */
int layer_pack(struct network *network, struct layer *layer, int phase, const struct matrix *matrix);

/* The shape of the result, or -1 where `shape` does not fit the layers. */
int network_shape(const struct network *network, struct shape shape, struct shape *result);

/* Of the result, those of all pictures one below the other; where a TO_PIXELS makes it, whole blocks of them. */
struct rows {
    ptrdiff_t first, end;
};

/* Computes these rows `y` of pictures `x` of this shape. 0, or -1 where memory is short. */
int network_run(const struct network *network, struct shape shape, struct rows rows, const void *x, void *y);

#endif
