"""The pages, asked over HTTP by readers with cookies and forms, and by a real browser."""
