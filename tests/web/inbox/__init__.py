"""The pages, requested over HTTP with cookies and forms, and in a real browser."""
