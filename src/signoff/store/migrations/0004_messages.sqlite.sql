-- What people were sent, over which channel, and what became of it; whose chat account is whose.

create table messages (
    id text primary key,
    shard integer not null,
    workspace text not null,
    intent_id text not null,
    visit integer not null,
    seq integer not null,
    kind text not null,
    person text not null,
    channel text not null,
    state text not null check (state in ('waiting', 'sent', 'skipped', 'failed')),
    reference text not null,
    attempts integer not null,
    error text not null,
    at integer not null
) strict;
create index messages_of_task on messages (intent_id, visit);

create table chat_people (
    channel text not null,
    team text not null,
    account text not null,
    workspace text not null references workspaces (id),
    person text not null,
    linked_at integer not null,
    primary key (channel, team, account)
) strict;
create unique index chat_people_of_person on chat_people (channel, workspace, person);

create table chat_codes (
    id text primary key,
    channel text not null,
    workspace text not null references workspaces (id),
    person text not null,
    expires_at integer not null
) strict;
create index chat_codes_expired on chat_codes (expires_at);
