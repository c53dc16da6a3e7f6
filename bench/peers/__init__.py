"""Other products with the same job, each with a separate interpreter."""
