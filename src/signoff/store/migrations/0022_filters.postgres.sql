-- Lists of requests by status, by type, and of one requester and type: each walks the entries of what it shows.

create index intents_by_status on intents (workspace, status, id);
create index intents_by_type on intents (workspace, type, id);
create index intents_requested_type on intents (workspace, requester, type, id);
