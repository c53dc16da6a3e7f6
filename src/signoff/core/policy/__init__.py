"""Who decides, apart from what is decided.

``fields``: the table of its fields, over which everything folds. ``policy``: a policy as it is written and applied
to a step. ``conditions``: which policy a payload selects. ``default_policy``: what a workspace's default policy makes
of steps that came with a request.
"""
