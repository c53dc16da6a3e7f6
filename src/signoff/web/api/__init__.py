"""The API, one module for each resource: JSON to a command, a change to JSON."""
