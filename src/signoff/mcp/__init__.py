"""Signoff for programs that speak MCP: a server whose tools ask people (``server``), and a gateway before another
server (``gateway``). It is a client of the API like any other, and cannot decide, whatever key it is given (``guard``).
"""
