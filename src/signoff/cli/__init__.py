"""The command line. It talks to a server over HTTP, as any client does."""
