/* The Python module aecodec.engine._native. Its users are in aecodec/engine/network.py, which checks what it passes. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#include "network.h"

#define CAPSULE "aecodec.engine.network"

static void release(PyObject *capsule) { network_free(PyCapsule_GetPointer(capsule, CAPSULE)); }

static PyObject *available(PyObject *module, PyObject *nothing) {
    (void)module, (void)nothing;
    PyObject *names = PyList_New(0);
    for (const struct kernels *const *kernels = compiled_kernels(); names && *kernels; kernels++) {
        if (!(*kernels)->usable()) continue;
        PyObject *name = PyUnicode_FromString((*kernels)->name);
        if (!name || PyList_Append(names, name)) Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

static int set_phase(struct network *network, struct layer *layer, int phase, PyObject *arrays) {
    Py_buffer weight, bias, shift;
    if (!PyArg_ParseTuple(arrays, "y*y*y*;weight, bias and shift", &weight, &bias, &shift)) return -1;
    struct matrix matrix = {weight.buf, bias.buf, shift.buf, 0, shift.len};
    int failed = -1;
    if (shift.len < 1 || bias.len != shift.len * 4 || weight.len < 2 || weight.len % (shift.len * 2)) {
        PyErr_SetString(PyExc_ValueError, "weight, bias and shift do not fit together");
    } else {
        matrix.inputs = weight.len / 2 / shift.len;
        if (layer->kind == DEPTHWISE && matrix.inputs != 9)
            PyErr_SetString(PyExc_ValueError, "depthwise weights need nine taps");
        else if (phase && (layer->inputs != matrix.inputs || layer->outputs != matrix.outputs))
            PyErr_SetString(PyExc_ValueError, "phases differ in shape");
        else if (layer_pack(network, layer, phase, &matrix))
            PyErr_NoMemory();
        else
            failed = 0;
    }
    PyBuffer_Release(&weight);
    PyBuffer_Release(&bias);
    PyBuffer_Release(&shift);
    return failed;
}

static int set_layer(struct network *network, int index, PyObject *description) {
    struct layer *layer = &network->layers[index];
    int kind, slope;
    PyObject *phases;
    if (!PyArg_ParseTuple(description, "iiiiiiO!", &kind, &layer->source, &layer->skip, &layer->block,
                          &layer->fraction, &slope, &PyTuple_Type, &phases))
        return -1;
    const Py_ssize_t count = PyTuple_Size(phases);
    const Py_ssize_t expected = kind == PHASED ? 4 : kind == DENSE || kind == DEPTHWISE ? 1 : 0;
    if (kind < DENSE || kind > PHASED || layer->source < 0 || layer->source > index || layer->skip > index ||
        layer->block < 1 || layer->fraction < 0 || layer->fraction > 15 || slope < 0 || slope > 1 << 15 ||
        count != expected || (kind == FROM_PIXELS && index > 0) ||
        (kind == TO_PIXELS && index + 1 < network->count)) {
        PyErr_Format(PyExc_ValueError, "layer %d is none", index);
        return -1;
    }
    layer->kind = (enum kind)kind;
    layer->slope = slope;
    for (int phase = 0; phase < count; phase++)
        if (set_phase(network, layer, phase, PyTuple_GetItem(phases, phase))) return -1;
    return 0;
}

static PyObject *pack(PyObject *module, PyObject *arguments) {
    (void)module;
    const char *name;
    PyObject *layers;
    if (!PyArg_ParseTuple(arguments, "sO!", &name, &PyTuple_Type, &layers)) return NULL;
    const struct kernels *const *kernels = compiled_kernels();
    while (*kernels && (strcmp((*kernels)->name, name) || !(*kernels)->usable())) kernels++;
    const Py_ssize_t count = PyTuple_Size(layers);
    if (!*kernels || count < 1 || count > 1000)
        return PyErr_Format(PyExc_ValueError, "no kernels %s, or no layers", name);
    struct network *network = network_new(*kernels, (int)count);
    if (!network) return PyErr_NoMemory();
    for (int i = 0; i < count; i++)
        if (set_layer(network, i, PyTuple_GetItem(layers, i))) {
            network_free(network);
            return NULL;
        }
    PyObject *capsule = PyCapsule_New(network, CAPSULE, release);
    if (!capsule) network_free(network);
    return capsule;
}

static PyObject *run(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *capsule, *result = NULL;
    Py_buffer x, y;
    Py_ssize_t count;
    struct shape shape, after;
    struct rows rows;
    if (!PyArg_ParseTuple(arguments, "Oy*w*(nnnn)(nn)", &capsule, &x, &y, &count, &shape.height, &shape.width,
                          &shape.channels, &rows.first, &rows.end))
        return NULL;
    const struct network *network = PyCapsule_GetPointer(capsule, CAPSULE);
    if (network) {
        const int in = network->layers[0].kind == FROM_PIXELS ? 1 : 2;
        const struct layer *last = &network->layers[network->count - 1];
        const int out = last->kind == TO_PIXELS ? 1 : 2;
        const int whole = last->kind == TO_PIXELS || last->kind == DEPTH_TO_SPACE ? last->block : 1;
        if (count < 1 || shape.height < 1 || shape.width < 1 || network_shape(network, shape, &after) ||
            x.len != count * shape.height * shape.width * shape.channels * in ||
            rows.first < 0 || rows.first >= rows.end || rows.end > count * after.height || rows.first % whole ||
            rows.end % whole || y.len != (rows.end - rows.first) * after.width * after.channels * out) {
            PyErr_SetString(PyExc_ValueError, "input and output do not fit the network");
        } else {
            int failed;
            Py_BEGIN_ALLOW_THREADS
            failed = network_run(network, shape, rows, x.buf, y.buf);
            Py_END_ALLOW_THREADS
            result = failed ? PyErr_NoMemory() : Py_NewRef(Py_None);
        }
    }
    PyBuffer_Release(&x);
    PyBuffer_Release(&y);
    return result;
}

static PyMethodDef methods[] = {
    {"available", available, METH_NOARGS, NULL},
    {"pack", pack, METH_VARARGS, NULL},
    {"run", run, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_native", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
