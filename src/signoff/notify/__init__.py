"""Telling people and machines: notices in, messages out, one file a channel. Knows core's notices, no database."""
