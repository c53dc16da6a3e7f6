"""The inbox, all requests, one request, and what was sent about it."""
