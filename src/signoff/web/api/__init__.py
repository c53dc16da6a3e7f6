"""The API, one module per resource: JSON to a command, a change to JSON."""
