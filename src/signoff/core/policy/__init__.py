"""Who decides, apart from what is decided.

``policy``: a policy as it is read and applied to a step. ``conditions``: which policy a payload selects.
``workspace_default``: what a workspace's default policy makes of steps that came with a request.
``relaxations``: whether a change makes deciding easier, and so takes a second admin.
"""
