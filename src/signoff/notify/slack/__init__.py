"""Slack: ``channel`` sends messages, ``card`` renders them, ``inbound`` and ``socket`` receive what people do, and
``declaration`` tells the registry.
"""
