-- Protected workspaces: what loosens who decides waits for a second admin, and is kept with both.

alter table workspaces add column protected smallint not null default 0 check (protected in (0, 1));

alter table changes add column confirmed_by text collate "C" not null default '';

create table proposals (
    id text collate "C" primary key,
    workspace text collate "C" not null references workspaces (id),
    at bigint not null,
    actor_kind text collate "C" not null,
    actor_id text collate "C" not null,
    via text collate "C" not null,
    source bytea not null,
    shown bytea not null,
    expires_at bigint not null
);
create index proposals_listed on proposals (workspace, id);

create table proposal_ends (
    id text collate "C" primary key references proposals (id),
    state text collate "C" not null check (state in ('confirmed', 'refused')),
    actor_id text collate "C" not null,
    via text collate "C" not null,
    at bigint not null
);
