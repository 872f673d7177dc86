/* The range coder: 64 bits of state, words of 32 bits, probabilities of 24 bits. Carries are kept back rather than
   propagated: see Martin, "Range encoding", 1979, and the specification in docs/format.md. */

#include <stdlib.h>

#include "symbols.h"

#define PRECISION 24
#define LEAST ((uint64_t)1 << 32) /* of the range between symbols */

/* The places of all symbols grouped by table, in the order given within a table; the caller frees them. */
static ptrdiff_t *grouped(ptrdiff_t count, const uint8_t *index, int first, ptrdiff_t ends[256]) {
    ptrdiff_t next[256] = {0}, sum = 0;
    for (ptrdiff_t i = 0; i < count; i++) next[index[i]]++;
    for (int table = 0; table < 256; table++) {
        ptrdiff_t size = table < first ? 0 : next[table];
        next[table] = sum;
        ends[table] = sum += size;
    }
    ptrdiff_t *places = malloc((size_t)(sum + !sum) * sizeof *places);
    if (places)
        for (ptrdiff_t i = 0; i < count; i++)
            if (index[i] >= first) places[next[index[i]]++] = i;
    return places;
}

/* Narrows the range to an entry and writes the words that are certain; where they are written next. */
static uint32_t *put(struct range_encoder *coder, uint64_t left, uint64_t right, uint32_t *word) {
    const uint64_t scale = coder->range >> PRECISION, lower = coder->lower + scale * left;
    coder->range = scale * (right - left);
    if (coder->inverted && lower + coder->range > lower) {
        const int carried = lower < coder->lower;
        *word++ = (uint32_t)(coder->first + (uint64_t)carried);
        for (; coder->inverted > 1; coder->inverted--) *word++ = carried ? 0 : UINT32_MAX;
        coder->inverted = 0;
    }
    coder->lower = lower;
    if (coder->range < LEAST) {
        const uint32_t top = (uint32_t)(coder->lower >> 32);
        coder->range <<= 32;
        coder->lower <<= 32;
        if (coder->inverted) {
            coder->inverted++;
        } else if (coder->lower + coder->range > coder->lower) {
            *word++ = top;
        } else {
            coder->inverted = 1;
            coder->first = top;
        }
    }
    return word;
}

ptrdiff_t range_encode(struct range_encoder *coder, const struct tables *tables, int first, ptrdiff_t count,
                       const int32_t *symbols, const uint8_t *index, uint32_t *words, ptrdiff_t *escapes) {
    ptrdiff_t ends[256], done = 0;
    ptrdiff_t *places = grouped(count, index, first, ends);
    uint32_t *word = words;
    if (!places) return -1;
    for (ptrdiff_t table = first; table < tables->count; table++) {
        const ptrdiff_t start = tables->starts[table], escape = tables->starts[table + 1] - 2 - start;
        for (; done < ends[table]; done++) {
            ptrdiff_t entry = (ptrdiff_t)symbols[places[done]] - tables->minimum[table];
            if (entry < 0 || entry >= escape) {
                entry = escape;
                ++*escapes;
            }
            entry += start;
            word = put(coder, tables->left[entry], tables->left[entry + 1], word);
        }
    }
    free(places);
    return word - words;
}

ptrdiff_t range_decode(struct range_decoder *coder, const uint32_t *words, ptrdiff_t length,
                       const struct tables *tables, int first, ptrdiff_t count, const uint8_t *index,
                       int32_t *symbols) {
    ptrdiff_t ends[256], done = 0, escapes = 0;
    ptrdiff_t *places = grouped(count, index, first, ends);
    struct range_decoder now = *coder;
    if (!places) return -1;
    for (ptrdiff_t i = 0; i < count; i++) symbols[i] = 0;
    for (ptrdiff_t table = first; table < tables->count && escapes >= 0; table++) {
        const ptrdiff_t start = tables->starts[table], escape = tables->starts[table + 1] - 2 - start;
        const uint32_t *left = tables->left + start;
        const uint16_t *guess = tables->guess + table * GUESSES;
        for (; done < ends[table]; done++) {
            const uint64_t scale = now.range >> PRECISION, quantile = (now.point - now.lower) / scale;
            if (quantile >> PRECISION) {
                escapes = -2;
                break;
            }
            ptrdiff_t entry = guess[quantile >> (PRECISION - GUESS_BITS)];
            entry += left[entry + 1] <= quantile; /* most of the way without a jump that nobody can predict */
            while (left[entry + 1] <= quantile) entry++;
            symbols[places[done]] = (int32_t)(tables->minimum[table] + entry);
            escapes += entry == escape;
            now.lower += scale * left[entry];
            now.range = scale * (left[entry + 1] - left[entry]);
            if (now.range < LEAST) {
                now.lower <<= 32;
                now.range <<= 32;
                now.point <<= 32;
                if (now.next < (uint64_t)length) now.point |= words[now.next++];
            }
        }
    }
    free(places);
    *coder = now;
    return escapes;
}
