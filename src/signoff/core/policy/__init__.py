"""Policies: who decides, and how.

``fields``: the table of a policy's fields, which everything that processes a policy uses. ``policy``: how a policy is
written, and applied to a step. ``conditions``: which policy a payload selects. ``default_policy``: how a workspace's
default policy is applied to steps that a request brings itself.
"""
