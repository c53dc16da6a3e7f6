-- The open tasks by whom they ask, kept in the transactions that change the intents: a list reads what it shows.
-- party: a key of core/intent/worklist.py; rank: the deadline, or after all deadlines the time of opening.

create table worklist (
    shard integer not null,
    workspace text not null,
    party text not null,
    intent_id text not null,
    rank integer not null,
    primary key (workspace, party, intent_id, shard)
) strict, without rowid;
create index worklist_ranked on worklist (workspace, party, rank, intent_id);
drop index intents_tasks;
