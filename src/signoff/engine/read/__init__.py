"""Everything that is shown: reads narrowed to what the caller may see.

``view`` is the way in. ``integrity``: history verified against the row. ``delivery_status``: what became of messages.
``revisions``: what changed between revisions. ``search``: requests by words.
"""
