"""The contract of the adapters, run with each real framework in a separate environment: ``make test-adapters``."""
