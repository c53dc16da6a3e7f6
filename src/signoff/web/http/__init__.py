"""Turns bytes into a checked request, and a result into a response.

``connection_limits`` and ``protocol`` bound what a connection may send; ``exchange``, ``write_batching`` and
``lean_event`` carry it.
``endpoint`` authenticates, reads the body and answers; ``call`` is the request that an endpoint function gets.
``bodies``, ``query``, ``json_intake``, ``cookies`` and ``validation_errors`` check input; ``held_requests`` ends
streams; ``lean_event`` saves memory for each connection.
"""
