-- What people were sent, over which channel, and what became of it; whose chat account is whose.

create table messages (
    id text collate "C" primary key,
    shard smallint not null,
    workspace text collate "C" not null,
    intent_id text collate "C" not null,
    visit integer not null,
    seq bigint not null,
    kind text collate "C" not null,
    person text collate "C" not null,
    channel text collate "C" not null,
    state text collate "C" not null check (state in ('waiting', 'sent', 'skipped', 'failed')),
    reference text collate "C" not null,
    attempts integer not null,
    error text collate "C" not null,
    at bigint not null
);
create index messages_of_task on messages (intent_id, visit);

create table chat_people (
    channel text collate "C" not null,
    team text collate "C" not null,
    account text collate "C" not null,
    workspace text collate "C" not null references workspaces (id),
    person text collate "C" not null,
    linked_at bigint not null,
    primary key (channel, team, account)
);
create unique index chat_people_of_person on chat_people (channel, workspace, person);

create table chat_codes (
    id text collate "C" primary key,
    channel text collate "C" not null,
    workspace text collate "C" not null references workspaces (id),
    person text collate "C" not null,
    expires_at bigint not null
);
create index chat_codes_expired on chat_codes (expires_at);
