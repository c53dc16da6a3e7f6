"""Slack: ``channel`` sends, ``card`` renders a message, ``inbound`` and ``socket`` receive what people do."""
