"""``signoff tasks``: list and answer (``answer``), act without answering (``act``), revise (``revise``)."""
