-- The open tasks by whom they ask, kept in the transactions that change the intents: a list reads what it shows.
-- party: a key of core/intent/worklist.py; rank: the deadline, or after all deadlines the time of opening.

create table worklist (
    shard smallint not null,
    workspace text collate "C" not null,
    party text collate "C" not null,
    intent_id text collate "C" not null,
    rank bigint not null,
    primary key (workspace, party, intent_id, shard)
);
create index worklist_ranked on worklist (workspace, party, rank, intent_id);
drop index intents_tasks;
