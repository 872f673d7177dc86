"""A learned image codec."""
