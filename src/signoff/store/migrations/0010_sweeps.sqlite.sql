-- How far the clock may be believed when something is deleted by it, and how much was.

create table sweeps (
    id integer primary key check (id = 1),
    at integer not null,
    owed integer not null,
    intents integer not null,
    payloads integer not null,
    deleted_at integer
) strict;
