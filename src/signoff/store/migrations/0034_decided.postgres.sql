-- When people or a deadline decided each request last, for the list of decided tasks: newest decision first, also of one
-- type or one requester.
create table decided (
    intent_id text collate "C" not null,
    shard smallint not null,
    workspace text collate "C" not null,
    type text collate "C" not null,
    requester text collate "C" not null,
    decided_at bigint not null,
    primary key (intent_id, shard)
);
create index decided_last on decided (workspace, decided_at, intent_id);
create index decided_of_type on decided (workspace, type, decided_at, intent_id);
create index decided_of_requester on decided (workspace, requester, decided_at, intent_id);
