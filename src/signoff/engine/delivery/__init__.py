"""Everything that is sent: pushes to agents, webhooks, messages to people, news for admins, sign-in mail.

``pipeline`` takes rows from the outbox; ``retry_policy`` says what a failed attempt means; ``concurrency`` bounds the
sends to one target. ``recipients`` and ``compose``: to whom, in which words. ``chat_answers``, ``slack_inbound``:
answers.
"""
