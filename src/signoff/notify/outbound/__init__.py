"""Calls to URLs that callers chose: addresses checked (SSRF guard), time and memory bounded, no redirects."""
