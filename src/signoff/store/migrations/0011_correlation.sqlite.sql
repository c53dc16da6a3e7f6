-- Requests are found by their correlation id.

alter table intents add column correlation text;
update intents set correlation = nullif(json_extract(cast(state as text), '$.correlation_id'), '')
where json_valid(cast(state as text));
create index intents_correlated on intents (workspace, correlation, id) where correlation is not null;
