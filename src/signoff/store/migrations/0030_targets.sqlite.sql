-- What a request is about, by the fields that its workflow declares: a digest. Only of requests with a target; deleted
-- with the payload. The index finds the request that was approved last for the same target.
create table targets (
    intent_id text primary key,
    workspace text not null,
    target text not null
) strict, without rowid;
create index targets_same on targets (workspace, target, intent_id);
