"""Everything that is sent: pushes to agents, service webhooks, messages to people, proposals for admins, sign-in
mail.

``pipeline`` takes rows from the outbox; ``outbox_items`` decodes them, one ``sender`` per type sends them,
``retry_policy`` says what follows a failure and ``concurrency`` limits the sends to one target. ``recipients``,
``compose`` and ``standing`` determine who gets a message and its text. ``test_messages`` shows whether a channel
reaches a person. ``chat_answers`` and ``chat_desk``: answers from a chat.
"""
