"""Signoff for programs that use MCP: a server whose tools ask people (``server``), and a gateway in front of
another server (``gateway``). It is an ordinary client of the API, and cannot decide, no matter which key it has
(``guard``).

``tools``, ``resources`` and ``task_handles`` are what a host sees; ``tool_results`` and ``failures`` what it gets back.
``requests``: the requests of one key; ``callers``: whose key that is; ``transports``: stdio and HTTP. Of the gateway:
``gateway_config``, ``upstream``, ``held_calls``.
"""
