"""The pages on which people decide: rendered here, complete without scripts, safe against whatever agents write."""
