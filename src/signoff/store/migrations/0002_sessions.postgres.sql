-- People signed in on the pages, and the links that sign them in or open one task. Only hashes of tokens are kept.

create table sessions (
    id text collate "C" primary key,
    workspace text collate "C" not null references workspaces (id),
    person text collate "C" not null,
    key_id text collate "C" not null,
    created_at bigint not null,
    expires_at bigint not null
);
create index sessions_expired on sessions (expires_at);
create index sessions_of_person on sessions (workspace, person);

create table links (
    id text collate "C" primary key,
    workspace text collate "C" not null references workspaces (id),
    person text collate "C" not null,
    purpose text collate "C" not null check (purpose in ('login', 'task')),
    intent_id text collate "C" not null,
    visit integer not null,
    digest text collate "C" not null,
    created_at bigint not null,
    expires_at bigint not null,
    used_at bigint
);
create index links_expired on links (expires_at);
