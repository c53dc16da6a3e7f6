-- When people or a deadline decided each request last, for the list of decided tasks: newest decision first, also of one
-- type or one requester.
create table decided (
    intent_id text not null,
    shard integer not null,
    workspace text not null,
    type text not null,
    requester text not null,
    decided_at integer not null,
    primary key (intent_id, shard)
) strict, without rowid;
create index decided_last on decided (workspace, decided_at, intent_id);
create index decided_of_type on decided (workspace, type, decided_at, intent_id);
create index decided_of_requester on decided (workspace, requester, decided_at, intent_id);
