-- How far the clock may be believed when something is deleted by it, and how much was.

create table sweeps (
    id integer primary key check (id = 1),
    at bigint not null,
    owed bigint not null,
    intents bigint not null,
    payloads bigint not null,
    deleted_at bigint
);
