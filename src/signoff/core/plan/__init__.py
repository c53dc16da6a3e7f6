"""The plan of a request: its steps, frozen when it is submitted.

``plan``: steps and routes. ``task_types``: the types of human task and their outcomes. ``answers``: what a valid answer
is, and what it means.
``task_reader``, ``outcomes_reader``, ``hours_reader``: read these from documents. ``form_schema``: the subset of JSON
Schema for forms. ``policy_choice``: chooses a policy by the payload. ``schedules``, ``working_hours``: when something
is due. ``lookahead``: which steps may still run. ``ineffective``: fields that can have no effect. ``target``: what a
request is about. ``title_template``: titles with fields of the payload. ``wording``: the sentences that pages and
messages share.
"""
