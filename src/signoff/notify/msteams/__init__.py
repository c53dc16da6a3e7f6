"""Microsoft Teams: ``channel`` sends messages, ``card`` renders them, ``inbound`` receives what people do, and
``declaration`` tells the registry.
"""
