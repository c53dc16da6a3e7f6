"""The plan of a request: its steps, frozen when it is submitted.

``plan``: steps and routes. ``task_types``: the kinds of human task, their outcomes and what a valid answer is.
``task_reader``, ``outcomes_reader``, ``hours_reader``: how documents write them. ``form_schema``: the closed subset of
JSON Schema for forms. ``policy_choice``: a policy chosen by what is in the payload. ``schedules``, ``working_hours``:
when things are due. ``lookahead``: what may still run. ``wording``: the sentences that all surfaces share.
"""
