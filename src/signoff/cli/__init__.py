"""The command line: what a person or a script types. Talks to a server as any client does, over HTTP."""
