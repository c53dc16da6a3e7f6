"""Channels: one message to one target. Knows core's notices and no database.

``channel`` is the contract, ``letter`` and ``message`` what is sent; ``email``, ``slack``, ``apprise``, ``webhook``,
``push`` and ``console`` are the channels; ``outbound`` is how other people's URLs are called safely.
"""
