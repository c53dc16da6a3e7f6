-- The shard of an intent, a number from 0 to 255 from random bits of its id (core/ids.py), in the tables that lacked it.
-- These small tables are written again with the keys that PostgreSQL has. The others keep theirs: a file is not
-- distributed, and all their rows would have to be written again.

create table new_targets (
    intent_id text not null,
    shard integer not null,
    workspace text not null,
    target text not null,
    primary key (intent_id, shard)
) strict, without rowid;
insert into new_targets (intent_id, workspace, target, shard)
select intent_id, workspace, target,
    max(0, (instr('0123456789abcdef', substr(intent_id, 25, 1)) - 1) * 16
        + instr('0123456789abcdef', substr(intent_id, 26, 1)) - 1)
from targets;
drop table targets;
alter table new_targets rename to targets;
create index targets_same on targets (workspace, target, intent_id);

create table new_showings (
    intent_id text not null,
    shard integer not null,
    person text not null,
    visit integer not null,
    stage integer not null,
    revision integer not null,
    primary key (intent_id, person, visit, stage, revision, shard)
) strict, without rowid;
insert into new_showings (intent_id, person, visit, stage, revision, shard)
select intent_id, person, visit, stage, revision,
    max(0, (instr('0123456789abcdef', substr(intent_id, 25, 1)) - 1) * 16
        + instr('0123456789abcdef', substr(intent_id, 26, 1)) - 1)
from showings;
drop table showings;
alter table new_showings rename to showings;

create table new_views (
    intent_id text not null,
    shard integer not null,
    visit integer not null,
    person text not null,
    channel text not null,
    first_at integer not null,
    last_at integer not null,
    times integer not null,
    unfolded integer not null,
    primary key (intent_id, visit, person, channel, shard)
) strict, without rowid;
insert into new_views (intent_id, visit, person, channel, first_at, last_at, times, unfolded, shard)
select intent_id, visit, person, channel, first_at, last_at, times, unfolded,
    max(0, (instr('0123456789abcdef', substr(intent_id, 25, 1)) - 1) * 16
        + instr('0123456789abcdef', substr(intent_id, 26, 1)) - 1)
from views;
drop table views;
alter table new_views rename to views;

create table new_uses (
    intent_id text not null,
    shard integer not null,
    use text not null,
    actor text not null,
    used_at integer not null,
    primary key (intent_id, shard)
) strict, without rowid;
insert into new_uses (intent_id, use, actor, used_at, shard)
select intent_id, use, actor, used_at,
    max(0, (instr('0123456789abcdef', substr(intent_id, 25, 1)) - 1) * 16
        + instr('0123456789abcdef', substr(intent_id, 26, 1)) - 1)
from uses;
drop table uses;
alter table new_uses rename to uses;

create table new_unread (
    workspace text not null,
    agent text not null,
    intent_id text not null,
    shard integer not null,
    cursor integer not null,
    shown_at integer not null,
    primary key (workspace, agent, intent_id, shard)
) strict, without rowid;
insert into new_unread (workspace, agent, intent_id, cursor, shown_at, shard)
select workspace, agent, intent_id, cursor, shown_at,
    max(0, (instr('0123456789abcdef', substr(intent_id, 25, 1)) - 1) * 16
        + instr('0123456789abcdef', substr(intent_id, 26, 1)) - 1)
from unread;
drop table unread;
alter table new_unread rename to unread;

alter table replies add column shard integer;
update replies set shard =
    max(0, (instr('0123456789abcdef', substr(intent_id, 25, 1)) - 1) * 16
        + instr('0123456789abcdef', substr(intent_id, 26, 1)) - 1)
where intent_id is not null;
