-- Requests are found by their correlation id.

alter table intents add column correlation text collate "C";
-- A row that cannot be read is for the doctor; it must not keep the others from being migrated.
create function pg_temp.correlation_of(state bytea) returns text language plpgsql as $$
begin
    return nullif(convert_from(state, 'UTF8')::json ->> 'correlation_id', '');
exception when others then
    return null;
end $$;
update intents set correlation = pg_temp.correlation_of(state);
drop function pg_temp.correlation_of(bytea);
create index intents_correlated on intents (workspace, correlation, id) where correlation is not null;
