-- Where a message went and since when it was called for; what a channel has managed lately, and what it fails at.

alter table messages add column target text not null default '';
alter table messages add column called_at integer not null default 0;
update messages set called_at = at;
create index messages_arrived on messages (workspace, channel, at) where state = 'sent';
create index messages_failing on messages (workspace, at) where error <> '' and state in ('waiting', 'failed');
create index outbox_failing on outbox (workspace) where last_error <> '';
