"""The command line. It talks to a server over HTTP, like any client."""
