"""The API, one module per resource: JSON becomes a command, and a change becomes JSON."""
