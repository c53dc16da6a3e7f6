"""Signoff for programs that speak MCP: a server whose tools ask people (``server``). A client of the API like any
other, which cannot decide whatever key it is given (``guard``).
"""
