-- Who decides: what is known of people, teams, policies; what was decided on before it was revised; who changed what.

alter table workspaces add column positive_fallback integer not null default 0 check (positive_fallback in (0, 1));

alter table people add column active integer not null default 1 check (active in (0, 1));
alter table people add column addresses text not null default '{}';
alter table people add column zone text not null default '';
alter table people add column hours text not null default 'null';
alter table people add column absences text not null default '[]';
alter table people add column preferences text not null default '{}';

create table teams (
    workspace text not null references workspaces (id),
    name text not null,
    members text not null,
    rotation text not null,
    updated_at integer not null,
    primary key (workspace, name)
) strict;

create table policies (
    workspace text not null references workspaces (id),
    name text not null,
    version integer not null check (version >= 1),
    source blob not null,
    applied_by text not null,
    applied_at integer not null,
    primary key (workspace, name, version)
) strict;

create table revisions (
    intent_id text not null,
    revision integer not null check (revision >= 1),
    shard integer not null,
    payload blob not null,
    primary key (intent_id, revision)
) strict;

create table changes (
    id text primary key,
    workspace text not null references workspaces (id),
    at integer not null,
    actor_kind text not null,
    actor_id text not null,
    via text not null,
    kind text not null,
    name text not null,
    before text not null,
    after text not null
) strict;
create index changes_listed on changes (workspace, id);
