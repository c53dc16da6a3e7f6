"""The SDK, which talks to the server only over HTTP. Its public names are those of the package ``signoff``."""
