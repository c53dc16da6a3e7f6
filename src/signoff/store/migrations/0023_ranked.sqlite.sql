-- A partial index cannot serve a statement that does not name its condition. Without it PostgreSQL may look for one row
-- of the worklist in this index, where the rank stands before the id, and reads all entries of a key.

drop index worklist_ranked;
create index worklist_ranked on worklist (workspace, party, rank, intent_id) where rank >= 0;
