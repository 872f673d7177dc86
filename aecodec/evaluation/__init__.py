"""Measuring codecs: metrics, other codecs, rate-distortion curves, the verdict on a model, the benchmark report.

Training imports from here what it judges models by; nothing here imports training. Everything is measured by
:func:`aecodec.evaluation.measure.measure`. Some of it needs the extra ``aecodec[bench]``, and says so.
"""
