"""Calling URLs that somebody else chose: addresses checked (SSRF), time and memory bounded, no redirects."""
