/* The Python module aecodec.engine._symbols, for aecodec/engine/symbols.py. No call touches memory beyond its arrays,
   whatever is passed. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "symbols.h"

#define MOST 16 /* arrays of a call */

/* The arrays of one call. */
struct arrays {
    int count;
    Py_buffer of[MOST];
};

static void release(struct arrays *arrays) {
    while (arrays->count) PyBuffer_Release(&arrays->of[--arrays->count]);
}

/* Memory of an array of exactly so many bytes, or of any number where `bytes` is negative. NULL, and an error, where it
   is not. */
static void *get(struct arrays *arrays, PyObject *array, Py_ssize_t bytes, int writable) {
    Py_buffer *buffer = &arrays->of[arrays->count];
    if (PyObject_GetBuffer(array, buffer, writable ? PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE : PyBUF_C_CONTIGUOUS))
        return NULL;
    arrays->count++;
    if (bytes >= 0 && buffer->len != bytes)
        return PyErr_Format(PyExc_ValueError, "an array of %zd bytes, not %zd", buffer->len, bytes);
    return buffer->buf;
}

static PyObject *finish(struct arrays *arrays, PyObject *result) {
    release(arrays);
    return result;
}

#define ARRAY(name, type, count, writable)                                                      \
    type *name = get(&arrays, name##_object, (Py_ssize_t)sizeof(type) * (count), writable);     \
    if (!name) return finish(&arrays, NULL);

static int is_step(struct step at) {
    const Py_ssize_t most = PY_SSIZE_T_MAX / 64;
    if (at.positions >= 0 && at.all > 0 && at.first >= 0 && at.count > 0 && at.all <= 1 << 20 &&
        at.count <= at.all - at.first && at.positions <= most / at.all)
        return 1;
    PyErr_SetString(PyExc_ValueError, "no step of coding");
    return 0;
}

static PyObject *expect(PyObject *module, PyObject *arguments) {
    (void)module;
    struct arrays arrays = {0};
    struct step at;
    PyObject *parameters_object, *correction_object, *mean_object, *index_object;
    if (!PyArg_ParseTuple(arguments, "(nnnn)OOOO", &at.positions, &at.all, &at.first, &at.count, &parameters_object,
                          &correction_object, &mean_object, &index_object) ||
        !is_step(at))
        return NULL;
    ARRAY(parameters, const int16_t, at.positions * 2 * at.all, 0)
    const int16_t *correction = NULL;
    if (correction_object != Py_None) {
        correction = get(&arrays, correction_object, at.positions * 4 * at.count, 0);
        if (!correction) return finish(&arrays, NULL);
    }
    ARRAY(mean, int32_t, at.positions * at.count, 1)
    ARRAY(index, uint8_t, at.positions * at.count, 1)
    Py_BEGIN_ALLOW_THREADS
    symbols_expect(at, parameters, correction, mean, index);
    Py_END_ALLOW_THREADS
    return finish(&arrays, Py_NewRef(Py_None));
}

static PyObject *known(PyObject *module, PyObject *arguments) {
    (void)module;
    struct arrays arrays = {0};
    struct step at;
    PyObject *parameters_object, *latents_object, *result_object;
    if (!PyArg_ParseTuple(arguments, "(nnnn)OOO", &at.positions, &at.all, &at.first, &at.count, &parameters_object,
                          &latents_object, &result_object) ||
        !is_step(at))
        return NULL;
    ARRAY(parameters, const int16_t, at.positions * 2 * at.all, 0)
    ARRAY(latents, const int32_t, at.positions * at.all, 0)
    ARRAY(result, int16_t, at.positions * (2 * at.all + at.first), 1)
    Py_BEGIN_ALLOW_THREADS
    symbols_known(at, parameters, latents, result);
    Py_END_ALLOW_THREADS
    return finish(&arrays, Py_NewRef(Py_None));
}

static PyObject *restore(PyObject *module, PyObject *arguments) {
    (void)module;
    struct arrays arrays = {0};
    struct step at;
    PyObject *symbols_object, *mean_object, *latents_object;
    if (!PyArg_ParseTuple(arguments, "(nnnn)OOO", &at.positions, &at.all, &at.first, &at.count, &symbols_object,
                          &mean_object, &latents_object) ||
        !is_step(at))
        return NULL;
    ARRAY(symbols, const int32_t, at.positions * at.count, 0)
    ARRAY(mean, const int32_t, at.positions * at.count, 0)
    ARRAY(latents, int32_t, at.positions * at.all, 1)
    Py_BEGIN_ALLOW_THREADS
    symbols_restore(at, symbols, mean, latents);
    Py_END_ALLOW_THREADS
    return finish(&arrays, Py_NewRef(Py_None));
}

static PyObject *quantise(PyObject *module, PyObject *arguments) {
    (void)module;
    struct arrays arrays = {0};
    struct step at;
    PyObject *scaled_object, *mean_object, *index_object, *zone_object, *symbols_object;
    if (!PyArg_ParseTuple(arguments, "(nnnn)OOOOO", &at.positions, &at.all, &at.first, &at.count, &scaled_object,
                          &mean_object, &index_object, &zone_object, &symbols_object) ||
        !is_step(at))
        return NULL;
    ARRAY(scaled, const int32_t, at.positions * at.all, 0)
    ARRAY(mean, const int32_t, at.positions * at.count, 0)
    ARRAY(index, const uint8_t, at.positions * at.count, 0)
    ARRAY(zone, const int32_t, 256, 0)
    ARRAY(symbols, int32_t, at.positions * at.count, 1)
    double lost;
    Py_BEGIN_ALLOW_THREADS
    lost = symbols_quantise(at, scaled, mean, index, zone, symbols);
    Py_END_ALLOW_THREADS
    return finish(&arrays, PyFloat_FromDouble(lost));
}

enum scaling { SCALE, SCALE_SATURATED, UNSCALE };

static PyObject *scaled_by(PyObject *arguments, enum scaling scaling) {
    struct arrays arrays = {0};
    Py_ssize_t positions, channels;
    int shift;
    PyObject *x_object, *factor_object, *y_object;
    if (!PyArg_ParseTuple(arguments, "nniOOO", &positions, &channels, &shift, &x_object, &factor_object, &y_object))
        return NULL;
    if (positions < 0 || channels < 1 || channels > 1 << 20 || positions > PY_SSIZE_T_MAX / 64 / channels ||
        shift < 0 || shift > 62) {
        PyErr_SetString(PyExc_ValueError, "no scale of latents");
        return NULL;
    }
    const void *x = get(&arrays, x_object, positions * channels * (scaling == UNSCALE ? 4 : 2), 0);
    if (!x) return finish(&arrays, NULL);
    ARRAY(factor, const int64_t, channels, 0)
    void *y = get(&arrays, y_object, positions * channels * (scaling == SCALE ? 4 : 2), 1);
    if (!y) return finish(&arrays, NULL);
    Py_BEGIN_ALLOW_THREADS
    if (scaling == SCALE)
        symbols_scale(positions, channels, x, factor, shift, y);
    else if (scaling == SCALE_SATURATED)
        symbols_scale_saturated(positions, channels, x, factor, shift, y);
    else
        symbols_unscale(positions, channels, x, factor, shift, y);
    Py_END_ALLOW_THREADS
    return finish(&arrays, Py_NewRef(Py_None));
}

static PyObject *scale(PyObject *module, PyObject *arguments) {
    (void)module;
    return scaled_by(arguments, SCALE);
}

static PyObject *scale_saturated(PyObject *module, PyObject *arguments) {
    (void)module;
    return scaled_by(arguments, SCALE_SATURATED);
}

static PyObject *unscale(PyObject *module, PyObject *arguments) {
    (void)module;
    return scaled_by(arguments, UNSCALE);
}

/* Tables from a tuple (starts, minimum, left, guess). 0, or -1 and an error. */
static int get_tables(struct arrays *arrays, PyObject *tuple, struct tables *tables) {
    PyObject *starts, *minimum, *left, *guess;
    if (!PyArg_ParseTuple(tuple, "OOOO;tables", &starts, &minimum, &left, &guess)) return -1;
    if (!(tables->minimum = get(arrays, minimum, -1, 0))) return -1;
    tables->count = arrays->of[arrays->count - 1].len / (Py_ssize_t)sizeof *tables->minimum;
    if (!(tables->starts = get(arrays, starts, 4 * (tables->count + 1), 0)) ||
        !(tables->guess = get(arrays, guess, 2 * GUESSES * tables->count, 0)) || !(tables->left = get(arrays, left, -1, 0)))
        return -1;
    const Py_ssize_t entries = arrays->of[arrays->count - 1].len / (Py_ssize_t)sizeof *tables->left;
    int fit = tables->count <= 256 && tables->starts[0] == 0 && tables->starts[tables->count] == entries;
    for (Py_ssize_t t = 0; t < tables->count && fit; t++) {
        const Py_ssize_t size = (Py_ssize_t)tables->starts[t + 1] - tables->starts[t];
        const uint32_t *left = tables->left + tables->starts[t];
        fit = size >= 3 && tables->starts[t + 1] <= entries && left[0] == 0 && left[size - 1] == 1 << 24;
        for (int i = 0; i < GUESSES && fit; i++) fit = tables->guess[t * GUESSES + i] < size - 1;
        for (Py_ssize_t i = 1; i < size && fit; i++) fit = left[i] > left[i - 1];
    }
    if (fit) return 0;
    PyErr_SetString(PyExc_ValueError, "no tables");
    return -1;
}

static int indexes_fit(Py_ssize_t count, const uint8_t *index, const struct tables *tables) {
    uint8_t most = 0;
    for (Py_ssize_t i = 0; i < count; i++) most = index[i] > most ? index[i] : most;
    if (!count || most < tables->count) return 1;
    PyErr_SetString(PyExc_ValueError, "an index beyond the tables");
    return 0;
}

static PyObject *encode(PyObject *module, PyObject *arguments) {
    (void)module;
    struct arrays arrays = {0};
    struct tables tables;
    PyObject *coder_object, *tables_object, *symbols_object, *index_object, *words = NULL;
    ptrdiff_t escapes = 0;
    int first;
    if (!PyArg_ParseTuple(arguments, "OOiOO", &coder_object, &tables_object, &first, &symbols_object, &index_object))
        return NULL;
    ARRAY(coder, struct range_encoder, 1, 1)
    if (get_tables(&arrays, tables_object, &tables)) return finish(&arrays, NULL);
    const uint8_t *index = get(&arrays, index_object, -1, 0);
    if (!index) return finish(&arrays, NULL);
    const Py_ssize_t count = arrays.of[arrays.count - 1].len;
    ARRAY(symbols, const int32_t, count, 0)
    if (first < 0 || first > 255 || !indexes_fit(count, index, &tables)) return finish(&arrays, NULL);
    /* A symbol shifts one word out at most, and those that waited may come with it. */
    if (coder->inverted > (uint64_t)PY_SSIZE_T_MAX / 16) return finish(&arrays, PyErr_NoMemory());
    uint32_t *memory = PyMem_Malloc(sizeof *memory * ((size_t)count + (size_t)coder->inverted + 1));
    if (!memory) return finish(&arrays, PyErr_NoMemory());
    Py_ssize_t written;
    Py_BEGIN_ALLOW_THREADS
    written = range_encode(coder, &tables, first, count, symbols, index, memory, &escapes);
    Py_END_ALLOW_THREADS
    if (written < 0)
        PyErr_NoMemory();
    else
        words = Py_BuildValue("y#n", (const char *)memory, written * (Py_ssize_t)sizeof *memory, (Py_ssize_t)escapes);
    PyMem_Free(memory);
    return finish(&arrays, words);
}

static PyObject *decode(PyObject *module, PyObject *arguments) {
    (void)module;
    struct arrays arrays = {0};
    struct tables tables;
    PyObject *coder_object, *words_object, *tables_object, *index_object, *symbols_object;
    int first;
    if (!PyArg_ParseTuple(arguments, "OOOiOO", &coder_object, &words_object, &tables_object, &first, &index_object,
                          &symbols_object))
        return NULL;
    ARRAY(coder, struct range_decoder, 1, 1)
    const uint32_t *words = get(&arrays, words_object, -1, 0);
    if (!words) return finish(&arrays, NULL);
    const Py_ssize_t length = arrays.of[arrays.count - 1].len / (Py_ssize_t)sizeof *words;
    if (get_tables(&arrays, tables_object, &tables)) return finish(&arrays, NULL);
    const uint8_t *index = get(&arrays, index_object, -1, 0);
    if (!index) return finish(&arrays, NULL);
    const Py_ssize_t count = arrays.of[arrays.count - 1].len;
    ARRAY(symbols, int32_t, count, 1)
    if (first < 0 || first > 255 || coder->range < (uint64_t)1 << 32 || !indexes_fit(count, index, &tables)) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "no state of a decoder");
        return finish(&arrays, NULL);
    }
    Py_ssize_t escapes;
    Py_BEGIN_ALLOW_THREADS
    escapes = range_decode(coder, words, length, &tables, first, count, index, symbols);
    Py_END_ALLOW_THREADS
    if (escapes == -1) return finish(&arrays, PyErr_NoMemory());
    return finish(&arrays, PyLong_FromSsize_t(escapes));
}

static PyMethodDef methods[] = {
    {"expect", expect, METH_VARARGS, NULL},
    {"known", known, METH_VARARGS, NULL},
    {"restore", restore, METH_VARARGS, NULL},
    {"quantise", quantise, METH_VARARGS, NULL},
    {"scale", scale, METH_VARARGS, NULL},
    {"scale_saturated", scale_saturated, METH_VARARGS, NULL},
    {"unscale", unscale, METH_VARARGS, NULL},
    {"encode", encode, METH_VARARGS, NULL},
    {"decode", decode, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_symbols", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__symbols(void) { return PyModuleDef_Init(&definition); }
