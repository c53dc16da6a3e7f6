"""The API, one module per resource: JSON becomes a command, a change becomes JSON."""
