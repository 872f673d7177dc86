/* From parameters to symbols and back, and between symbols and bytes. The arithmetic is defined at the heads of
   aecodec/entropy/latents.py, aecodec/entropy/range_coder.py and aecodec/networks/gains.py. No Python in here. */
#ifndef AECODEC_SYMBOLS_H
#define AECODEC_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/* Positions of a tile, with `all` latents each, of which `count` are coded now, those from `first` on. */
struct step {
    ptrdiff_t positions, all, first, count;
};

/* Means and scale indices (positions, count) of parameters (positions, 2 all) and their correction (positions, 2 count),
   which may be NULL. */
void symbols_expect(struct step at, const int16_t *parameters, const int16_t *correction, int32_t *mean,
                    uint8_t *index);

/* What a context network sees (positions, 2 all + first): parameters and the latents before `first`, saturated. */
void symbols_known(struct step at, const int16_t *parameters, const int32_t *latents, int16_t *y);

/* Latents (positions, all) from `first` on, of symbols and means (positions, count). */
void symbols_restore(struct step at, const int32_t *symbols, const int32_t *mean, int32_t *latents);

/* Symbols (positions, count) of scaled latents (positions, all). The sum of squares of those that are not zero although
   their scale index is. */
double symbols_quantise(struct step at, const int32_t *scaled, const int32_t *mean, const uint8_t *index,
                        const int32_t *zone, int32_t *symbols);

/* (positions, channels) times a factor of each channel, rounded and shifted; all but the first one saturated. */
void symbols_scale(ptrdiff_t positions, ptrdiff_t channels, const int16_t *x, const int64_t *factor, int shift,
                   int32_t *y);
void symbols_scale_saturated(ptrdiff_t positions, ptrdiff_t channels, const int16_t *x, const int64_t *factor,
                             int shift, int16_t *y);
void symbols_unscale(ptrdiff_t positions, ptrdiff_t channels, const int32_t *x, const int64_t *factor, int shift,
                     int16_t *y);

/* Tables: the entries of table t begin in 2^24ths at left[starts[t]] and so on; the last one of them, at
   left[starts[t + 1] - 1], is no entry but 2^24. The first entry is the value minimum[t], the last one the escape. */
struct tables {
    ptrdiff_t count;
    const int32_t *starts, *minimum;
    const uint32_t *left;
    const uint16_t *guess; /* (count, GUESSES): the entry in which such a part begins */
};

#define GUESS_BITS 9
#define GUESSES (1 << GUESS_BITS)

struct range_encoder {
    uint64_t lower, range, inverted; /* inverted: how many words wait for a carry */
    uint64_t first;                  /* the first of these */
};

struct range_decoder {
    uint64_t lower, range, point, next; /* next: the word that is read next */
};

/* Encodes symbols (count,) with tables[index], those of tables below `first` left out, grouped by table, and counts the
   escapes among them. How many words it writes, or -1 where memory is short. */
ptrdiff_t range_encode(struct range_encoder *coder, const struct tables *tables, int first, ptrdiff_t count,
                       const int32_t *symbols, const uint8_t *index, uint32_t *words, ptrdiff_t *escapes);

/* The inverse; what is left out becomes zero. How many of the symbols are escapes, -1 where memory is short, -2 where no
   encoder has written this. */
ptrdiff_t range_decode(struct range_decoder *coder, const uint32_t *words, ptrdiff_t length,
                       const struct tables *tables, int first, ptrdiff_t count, const uint8_t *index,
                       int32_t *symbols);

#endif
