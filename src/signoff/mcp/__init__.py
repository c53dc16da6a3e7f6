"""Signoff for programs that speak MCP: a server whose tools ask people (``server``), and a gateway in front of
another server (``gateway``). It is an ordinary client of the API, and cannot decide, whatever key it has (``guard``).
"""
