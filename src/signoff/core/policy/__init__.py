"""Policies: who decides, and how.

``fields``: the table of a policy's fields; everything that goes through a policy folds over it. ``policy``: how a
policy is written, and applied to a step. ``conditions``: which policy a payload selects. ``default_policy``: how a
workspace's default policy is applied to steps that came with a request.
"""
