-- An open intent keeps the people who voted against an earlier revision (``objected_by`` in its state), because its expiry
-- must not approve it. The rows of open intents are rebuilt from their events: see ``refold``.

select 1;
