-- The first schema, PostgreSQL. Moments are microseconds since 1970 UTC; JSON is kept as the bytes it was written as.

create table plans (
    digest text collate "C" primary key,
    body bytea not null
);

create table intents (
    id text collate "C" primary key,
    shard smallint not null check (shard between 0 and 255),
    workspace text collate "C" not null,
    type text collate "C" not null,
    status text collate "C" not null,
    waiting text collate "C",
    requester text collate "C" not null,
    to_agent text collate "C",
    reply_to text collate "C",
    agent text collate "C",
    cursor bigint check (cursor % 2 = 0),
    created_at bigint not null,
    updated_at bigint not null,
    wake_at bigint,
    seq bigint not null check (seq >= 1),
    head text collate "C" not null,
    plan text collate "C" not null,
    state bytea not null,
    constraint cursor_belongs_to_agent check ((agent is null) = (cursor is null)),
    constraint final_rests check (
        status not in ('COMPLETED', 'FAILED', 'CANCELED', 'TIMED_OUT')
        or (wake_at is null and agent is null and waiting is null)
    )
);
create index intents_due on intents (wake_at) where wake_at is not null;
create unique index intents_ready on intents (workspace, agent, cursor) where cursor is not null;
create index intents_tasks on intents (workspace, waiting, id) where waiting = 'WAITING_FOR_HUMAN';
create index intents_listed on intents (workspace, id);
create index intents_replied on intents (workspace, reply_to, id) where reply_to is not null;
create index intents_addressed on intents (workspace, to_agent, id) where to_agent is not null;
create index intents_requested on intents (workspace, requester, id);
create index intents_final on intents (updated_at) where status in ('COMPLETED', 'FAILED', 'CANCELED', 'TIMED_OUT');

create table submissions (
    intent_id text collate "C" primary key,
    shard smallint not null,
    payload bytea not null
);

create table events (
    intent_id text collate "C" not null,
    seq bigint not null check (seq >= 1),
    shard smallint not null,
    body bytea not null,
    private bytea,
    hash text collate "C" not null,
    primary key (intent_id, seq)
);

create table cursors (
    workspace text collate "C" not null,
    agent text collate "C" not null,
    seq bigint not null check (seq % 2 = 0),
    primary key (workspace, agent)
) with (fillfactor = 50);

create table replies (
    workspace text collate "C" not null,
    actor text collate "C" not null,
    route text collate "C" not null,
    key text collate "C" not null,
    fingerprint text collate "C" not null,
    body bytea not null,
    expires_at bigint not null,
    primary key (workspace, actor, route, key)
);
create index replies_expired on replies (expires_at);

create table outbox (
    id text collate "C" primary key,
    shard smallint not null,
    workspace text collate "C" not null,
    intent_id text collate "C" not null,
    seq bigint not null,
    channel text collate "C" not null,
    target text collate "C" not null,
    notice bytea not null,
    due_at bigint not null,
    attempts integer not null,
    last_error text collate "C" not null,
    dead smallint not null check (dead in (0, 1))
);
create index outbox_due on outbox (due_at) where dead = 0;
create index outbox_of_intent on outbox (intent_id);

create table workspaces (
    id text collate "C" primary key,
    organization text collate "C" not null,
    name text collate "C" not null,
    self_approval smallint not null check (self_approval in (0, 1)),
    created_at bigint not null,
    unique (organization, name)
);

create table people (
    id text collate "C" primary key,
    workspace text collate "C" not null references workspaces (id),
    email text collate "C" not null,
    name text collate "C" not null,
    roles text collate "C" not null,
    created_at bigint not null,
    unique (workspace, email)
);

create table accounts (
    id text collate "C" primary key,
    workspace text collate "C" not null references workspaces (id),
    kind text collate "C" not null check (kind in ('agent', 'service')),
    name text collate "C" not null,
    slug text collate "C" not null,
    address text collate "C" not null,
    display_name text collate "C" not null,
    description text collate "C" not null,
    delivery_mode text collate "C" not null check (delivery_mode in ('stream', 'poll', 'http', 'inbox')),
    callback_url text collate "C" not null,
    webhook_secret text collate "C" not null,
    status text collate "C" not null check (status in ('active', 'suspended', 'revoked')),
    created_by text collate "C" not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (workspace, kind, name)
);
create unique index accounts_address on accounts (workspace, address) where address <> '';

create table keys (
    id text collate "C" primary key,
    workspace text collate "C" not null references workspaces (id),
    actor_kind text collate "C" not null,
    actor_id text collate "C" not null,
    hash text collate "C" not null,
    hint text collate "C" not null,
    created_by text collate "C" not null,
    created_at bigint not null,
    expires_at bigint,
    revoked_at bigint
);
create index keys_of_actor on keys (workspace, actor_id);

create table workflows (
    workspace text collate "C" not null references workspaces (id),
    intent_type text collate "C" not null,
    version integer not null check (version >= 1),
    name text collate "C" not null,
    plan_digest text collate "C" not null references plans (digest),
    source bytea not null,
    applied_by text collate "C" not null,
    applied_at bigint not null,
    primary key (workspace, intent_type, version)
);

-- A hot table must not wait until a fifth of it is dead rows.
alter table intents set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
alter table outbox set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
alter table replies set (autovacuum_vacuum_scale_factor = 0.05);
