"""The networks of a model, in PyTorch: their shapes, layers, order of coding, rate and dead zone."""
