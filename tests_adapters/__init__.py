"""The contract of the adapters, run with each real framework in an environment of its own: ``make test-adapters``."""
