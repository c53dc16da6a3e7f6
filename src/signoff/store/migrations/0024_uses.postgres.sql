-- That a program acts on the outcome of an intent: once, by the use that it named first.
create table uses (
    intent_id text collate "C" primary key,
    use text collate "C" not null,
    actor text collate "C" not null,
    used_at bigint not null
);
