"""Measures a real server on this machine against the goals of the project: ``python -m bench``."""
