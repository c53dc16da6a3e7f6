-- The shard of an intent, a number from 0 to 255 from random bits of its id (core/ids.py), becomes part of every key of
-- the tables that belong to intents, so that these tables can be partitioned or distributed by it. The tables that
-- lacked the column get it. Replies belong to callers: there it only finds the intent.

alter table targets add column shard smallint;
update targets set shard = case
    when substr(intent_id, 25, 2) ~ '^[0-9a-f][0-9a-f]$' then ('x' || substr(intent_id, 25, 2))::bit(8)::integer else 0
end;
alter table targets alter column shard set not null;

alter table showings add column shard smallint;
update showings set shard = case
    when substr(intent_id, 25, 2) ~ '^[0-9a-f][0-9a-f]$' then ('x' || substr(intent_id, 25, 2))::bit(8)::integer else 0
end;
alter table showings alter column shard set not null;

alter table views add column shard smallint;
update views set shard = case
    when substr(intent_id, 25, 2) ~ '^[0-9a-f][0-9a-f]$' then ('x' || substr(intent_id, 25, 2))::bit(8)::integer else 0
end;
alter table views alter column shard set not null;

alter table uses add column shard smallint;
update uses set shard = case
    when substr(intent_id, 25, 2) ~ '^[0-9a-f][0-9a-f]$' then ('x' || substr(intent_id, 25, 2))::bit(8)::integer else 0
end;
alter table uses alter column shard set not null;

alter table unread add column shard smallint;
update unread set shard = case
    when substr(intent_id, 25, 2) ~ '^[0-9a-f][0-9a-f]$' then ('x' || substr(intent_id, 25, 2))::bit(8)::integer else 0
end;
alter table unread alter column shard set not null;

alter table replies add column shard smallint;
update replies set shard = case
    when substr(intent_id, 25, 2) ~ '^[0-9a-f][0-9a-f]$' then ('x' || substr(intent_id, 25, 2))::bit(8)::integer else 0
end where intent_id is not null;

alter table intents drop constraint intents_pkey, add constraint intents_pkey primary key (id, shard);
alter table submissions drop constraint submissions_pkey,
    add constraint submissions_pkey primary key (intent_id, shard);
alter table revisions drop constraint revisions_pkey,
    add constraint revisions_pkey primary key (intent_id, revision, shard);
alter table events drop constraint events_pkey, add constraint events_pkey primary key (intent_id, seq, shard);
alter table outbox drop constraint outbox_pkey, add constraint outbox_pkey primary key (id, shard);
alter table messages drop constraint messages_pkey, add constraint messages_pkey primary key (id, shard);
alter table targets drop constraint targets_pkey, add constraint targets_pkey primary key (intent_id, shard);
alter table showings drop constraint showings_pkey,
    add constraint showings_pkey primary key (intent_id, person, visit, stage, revision, shard);
alter table views drop constraint views_pkey,
    add constraint views_pkey primary key (intent_id, visit, person, channel, shard);
alter table uses drop constraint uses_pkey, add constraint uses_pkey primary key (intent_id, shard);
alter table unread drop constraint unread_pkey,
    add constraint unread_pkey primary key (workspace, agent, intent_id, shard);

-- An agent's counter in cursors, which is locked until the commit, makes the numbers unique.
drop index intents_ready;
create index intents_ready on intents (workspace, agent, cursor) where cursor is not null;
