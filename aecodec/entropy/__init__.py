"""Latents to bytes and back: range coder, order of the symbols, and the networks that decide their probabilities."""
