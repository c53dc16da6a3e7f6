"""Core values to the structs of ``signoff.wire``, in which the API answers."""
