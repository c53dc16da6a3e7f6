-- An Idempotency-Key stands as long as the intent that it was used for is open, and its life after that ended.

alter table replies add column intent_id text collate "C";
alter table replies add column life bigint not null default 172800000000;
create function pg_temp.intent_of(body bytea) returns text language plpgsql as $$
declare answer json;
begin
    answer := convert_from(body, 'UTF8')::json;
    return coalesce(answer ->> 'intent_id', answer -> 'intent' ->> 'intent_id');
exception when others then
    return null;
end $$;
update replies set intent_id = pg_temp.intent_of(body);
drop function pg_temp.intent_of(bytea);
