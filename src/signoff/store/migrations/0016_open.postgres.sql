-- How many intents of a requester are open is counted without those that are not.

create index intents_open on intents (workspace, requester)
where status not in ('COMPLETED', 'FAILED', 'CANCELED', 'TIMED_OUT');
