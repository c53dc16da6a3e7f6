"""Core values to wire JSON: the only package that knows wire names."""
