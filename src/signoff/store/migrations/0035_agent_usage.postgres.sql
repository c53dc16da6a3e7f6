-- Who may send to an agent, how much work it is given, and what it was given and has reported on each day (in UTC).

alter table accounts add column senders text collate "C" not null default 'null';
alter table accounts add column limits text collate "C" not null default 'null';
create table agent_usage (
    workspace text collate "C" not null,
    agent text collate "C" not null,
    day bigint not null,
    hour bigint not null default 0,
    given bigint not null default 0,
    this_hour bigint not null default 0,
    total bigint not null default 0,
    succeeded bigint not null default 0,
    failed bigint not null default 0,
    latency double precision not null default 0,
    cost bigint not null default 0,
    report text collate "C" not null default '',
    reported_at bigint,
    primary key (workspace, agent, day)
);
