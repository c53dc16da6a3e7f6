-- Protected workspaces: what loosens who decides waits for a second admin, and is kept with both.

alter table workspaces add column protected integer not null default 0 check (protected in (0, 1));

alter table changes add column confirmed_by text not null default '';

create table proposals (
    id text primary key,
    workspace text not null references workspaces (id),
    at integer not null,
    actor_kind text not null,
    actor_id text not null,
    via text not null,
    source blob not null,
    shown blob not null,
    expires_at integer not null
) strict;
create index proposals_listed on proposals (workspace, id);

create table proposal_ends (
    id text primary key references proposals (id),
    state text not null check (state in ('confirmed', 'refused')),
    actor_id text not null,
    via text not null,
    at integer not null
) strict;
