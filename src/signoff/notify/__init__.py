"""Channels: each sends one message to one target. They know the core's notifications, but not the database.

``channel`` defines what a channel is and how it declares itself; ``registry`` lists them: ``email``, ``slack``,
``msteams``, ``telegram``, ``webhook``, ``apprise``, ``push``. ``chat``: what people do in a chat; ``rate_gate``:
respects rate limits; ``personal_message`` and ``service_message``: what is sent; ``plain_text``: makes untrusted
text safe; ``console``: prints to the server's terminal; ``outbound``: calls other people's URLs safely; ``extras``:
libraries that only some servers need.
"""
