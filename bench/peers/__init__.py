"""What a user would pick instead, doing the same job: each runs under an interpreter of its own."""
