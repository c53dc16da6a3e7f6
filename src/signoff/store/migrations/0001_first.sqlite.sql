-- The first schema, SQLite. Moments are microseconds since 1970 UTC; JSON is kept as the bytes it was written as.

create table plans (
    digest text primary key,
    body blob not null
) strict;

create table intents (
    id text primary key,
    shard integer not null check (shard between 0 and 255),
    workspace text not null,
    type text not null,
    status text not null,
    waiting text,
    requester text not null,
    to_agent text,
    reply_to text,
    agent text,
    cursor integer check (cursor % 2 = 0),
    created_at integer not null,
    updated_at integer not null,
    wake_at integer,
    seq integer not null check (seq >= 1),
    head text not null,
    plan text not null,
    state blob not null,
    constraint cursor_belongs_to_agent check ((agent is null) = (cursor is null)),
    constraint final_rests check (
        status not in ('COMPLETED', 'FAILED', 'CANCELED', 'TIMED_OUT')
        or (wake_at is null and agent is null and waiting is null)
    )
) strict;
create index intents_due on intents (wake_at) where wake_at is not null;
create unique index intents_ready on intents (workspace, agent, cursor) where cursor is not null;
create index intents_tasks on intents (workspace, waiting, id) where waiting = 'WAITING_FOR_HUMAN';
create index intents_listed on intents (workspace, id);
create index intents_replied on intents (workspace, reply_to, id) where reply_to is not null;
create index intents_addressed on intents (workspace, to_agent, id) where to_agent is not null;
create index intents_requested on intents (workspace, requester, id);
create index intents_final on intents (updated_at) where status in ('COMPLETED', 'FAILED', 'CANCELED', 'TIMED_OUT');

create table submissions (
    intent_id text primary key,
    shard integer not null,
    payload blob not null
) strict;

create table events (
    intent_id text not null,
    seq integer not null check (seq >= 1),
    shard integer not null,
    body blob not null,
    private blob,
    hash text not null,
    primary key (intent_id, seq)
) strict;

create table cursors (
    workspace text not null,
    agent text not null,
    seq integer not null check (seq % 2 = 0),
    primary key (workspace, agent)
) strict, without rowid;

create table replies (
    workspace text not null,
    actor text not null,
    route text not null,
    key text not null,
    fingerprint text not null,
    body blob not null,
    expires_at integer not null,
    primary key (workspace, actor, route, key)
) strict;
create index replies_expired on replies (expires_at);

create table outbox (
    id text primary key,
    shard integer not null,
    workspace text not null,
    intent_id text not null,
    seq integer not null,
    channel text not null,
    target text not null,
    notice blob not null,
    due_at integer not null,
    attempts integer not null,
    last_error text not null,
    dead integer not null check (dead in (0, 1))
) strict;
create index outbox_due on outbox (due_at) where dead = 0;
create index outbox_of_intent on outbox (intent_id);

create table workspaces (
    id text primary key,
    organization text not null,
    name text not null,
    self_approval integer not null check (self_approval in (0, 1)),
    created_at integer not null,
    unique (organization, name)
) strict;

create table people (
    id text primary key,
    workspace text not null references workspaces (id),
    email text not null,
    name text not null,
    roles text not null,
    created_at integer not null,
    unique (workspace, email)
) strict;

create table accounts (
    id text primary key,
    workspace text not null references workspaces (id),
    kind text not null check (kind in ('agent', 'service')),
    name text not null,
    slug text not null,
    address text not null,
    display_name text not null,
    description text not null,
    delivery_mode text not null check (delivery_mode in ('stream', 'poll', 'http', 'inbox')),
    callback_url text not null,
    webhook_secret text not null,
    status text not null check (status in ('active', 'suspended', 'revoked')),
    created_by text not null,
    created_at integer not null,
    updated_at integer not null,
    unique (workspace, kind, name)
) strict;
create unique index accounts_address on accounts (workspace, address) where address <> '';

create table keys (
    id text primary key,
    workspace text not null references workspaces (id),
    actor_kind text not null,
    actor_id text not null,
    hash text not null,
    hint text not null,
    created_by text not null,
    created_at integer not null,
    expires_at integer,
    revoked_at integer
) strict;
create index keys_of_actor on keys (workspace, actor_id);

create table workflows (
    workspace text not null references workspaces (id),
    intent_type text not null,
    version integer not null check (version >= 1),
    name text not null,
    plan_digest text not null references plans (digest),
    source blob not null,
    applied_by text not null,
    applied_at integer not null,
    primary key (workspace, intent_type, version)
) strict;
