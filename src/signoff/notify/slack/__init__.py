"""Slack: ``channel`` sends, ``card`` renders a letter, ``inbound`` and ``socket`` receive what people do."""
