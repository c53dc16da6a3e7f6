-- An intent that is on its way after a no, silence or a failure remembers it (``setback`` in its state). The rows of the
-- open ones are folded anew from their events: see ``refold``.

select 1;
