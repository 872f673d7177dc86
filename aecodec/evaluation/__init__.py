"""Measuring codecs: metrics, rate-distortion curves, and the codecs to compare with.

BD-rates and interpolation need the extra ``aecodec[bench]``; nothing else in the package imports this one.
"""
