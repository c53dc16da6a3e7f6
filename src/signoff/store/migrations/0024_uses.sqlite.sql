-- That a program acts on the outcome of an intent: once, by the use that it named first.
create table uses (
    intent_id text primary key,
    use text not null,
    actor text not null,
    used_at integer not null
) strict, without rowid;
