"""Calls URLs that callers chose: addresses are checked (SSRF guard), time and memory are bounded, redirects are not
followed.
"""
