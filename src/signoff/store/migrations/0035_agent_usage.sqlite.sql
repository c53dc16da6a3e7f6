-- Who may send to an agent, how much work it is given, and what it was given and has reported on each day (in UTC).

alter table accounts add column senders text not null default 'null';
alter table accounts add column limits text not null default 'null';
create table agent_usage (
    workspace text not null,
    agent text not null,
    day integer not null,
    hour integer not null default 0,
    given integer not null default 0,
    this_hour integer not null default 0,
    total integer not null default 0,
    succeeded integer not null default 0,
    failed integer not null default 0,
    latency real not null default 0,
    cost integer not null default 0,
    report text not null default '',
    reported_at integer,
    primary key (workspace, agent, day)
) strict, without rowid;
