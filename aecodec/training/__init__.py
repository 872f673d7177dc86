"""Training: data -> objective -> optimizer -> loop -> export. Nothing here is needed to compress or decompress."""
