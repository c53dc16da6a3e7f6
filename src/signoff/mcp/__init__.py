"""Signoff for programs that speak MCP: a server whose tools ask people (``server``), and a gateway before another
server (``gateway``). A client of the API like any other, which cannot decide whatever key it is given (``guard``).
"""
