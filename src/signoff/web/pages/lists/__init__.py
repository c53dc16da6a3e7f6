"""The inbox, all requests, one request, and the messages about it."""
