-- Who opened which task, through which channel: one row for each person, task and channel, however often they look.
-- times: at most one in ten minutes is counted; unfolded: whether they unfolded everything.
create table views (
    intent_id text collate "C" not null,
    visit integer not null,
    person text collate "C" not null,
    channel text collate "C" not null,
    first_at bigint not null,
    last_at bigint not null,
    times integer not null,
    unfolded smallint not null,
    primary key (intent_id, visit, person, channel)
);
