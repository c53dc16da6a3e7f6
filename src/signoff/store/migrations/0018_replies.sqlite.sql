-- An Idempotency-Key stands as long as the intent that it was used for is open, and its life after that ended.

alter table replies add column intent_id text;
alter table replies add column life integer not null default 172800000000;
update replies set intent_id = coalesce(
    json_extract(cast(body as text), '$.intent_id'), json_extract(cast(body as text), '$.intent.intent_id')
) where json_valid(cast(body as text));
