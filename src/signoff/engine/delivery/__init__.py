"""Everything that is sent: pushes to agents, service webhooks, messages to people, proposals for admins, sign-in
mail.

``channel_registry`` routes a notification to rows of the outbox. ``pipeline`` takes them from there; ``outbox_items``
decodes them, one ``sender`` per type sends them, ``send_outcomes`` decides what happens after a failure and
``concurrency`` limits the sends to one target.

The senders: ``task_messages`` for people, ``nobody_reached`` for the intent itself, ``service_messages`` for services
and agents, ``proposal_messages``, ``signin_mail``, ``test_messages``. Who gets a message, and when:
``notification_expansion``, ``recipients``, ``message_rows``, ``roundups``. Its text: ``compose``,
``open_task_facts``, ``payload_excerpt``.
Answers from a chat: ``chat_answers``, ``chat_desk``.
"""
