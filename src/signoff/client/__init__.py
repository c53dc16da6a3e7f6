"""The SDK: knows the server only by HTTP. Its public names are those of the package ``signoff``."""
