-- Who opened which task, through which channel: one row for each person, task and channel, however often they look.
-- times: at most one in ten minutes is counted; unfolded: whether they unfolded everything.
create table views (
    intent_id text not null,
    visit integer not null,
    person text not null,
    channel text not null,
    first_at integer not null,
    last_at integer not null,
    times integer not null,
    unfolded integer not null,
    primary key (intent_id, visit, person, channel)
) strict, without rowid;
