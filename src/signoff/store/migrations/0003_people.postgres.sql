-- Who decides: what is known of people, teams, policies; what was decided on before it was revised; who changed what.

alter table workspaces add column positive_fallback smallint not null default 0 check (positive_fallback in (0, 1));

alter table people add column active smallint not null default 1 check (active in (0, 1));
alter table people add column addresses text collate "C" not null default '{}';
alter table people add column zone text collate "C" not null default '';
alter table people add column hours text collate "C" not null default 'null';
alter table people add column absences text collate "C" not null default '[]';
alter table people add column preferences text collate "C" not null default '{}';

create table teams (
    workspace text collate "C" not null references workspaces (id),
    name text collate "C" not null,
    members text collate "C" not null,
    rotation text collate "C" not null,
    updated_at bigint not null,
    primary key (workspace, name)
);

create table policies (
    workspace text collate "C" not null references workspaces (id),
    name text collate "C" not null,
    version integer not null check (version >= 1),
    source bytea not null,
    applied_by text collate "C" not null,
    applied_at bigint not null,
    primary key (workspace, name, version)
);

create table revisions (
    intent_id text collate "C" not null,
    revision integer not null check (revision >= 1),
    shard smallint not null,
    payload bytea not null,
    primary key (intent_id, revision)
);

create table changes (
    id text collate "C" primary key,
    workspace text collate "C" not null references workspaces (id),
    at bigint not null,
    actor_kind text collate "C" not null,
    actor_id text collate "C" not null,
    via text collate "C" not null,
    kind text collate "C" not null,
    name text collate "C" not null,
    before text collate "C" not null,
    after text collate "C" not null
);
create index changes_listed on changes (workspace, id);
