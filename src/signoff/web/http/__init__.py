"""From bytes to a checked request, and from a result to a response.

``connection_limits`` and ``protocol`` bound what a connection may send; ``endpoint`` authenticates, reads the body and
answers; ``bodies``, ``query``, ``json_intake`` and ``validation_errors`` check input; ``held_requests`` ends streams.
"""
