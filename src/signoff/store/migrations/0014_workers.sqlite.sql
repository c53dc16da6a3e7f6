-- When work was last asked for as each agent, and by which program.

create table workers (
    workspace text not null,
    agent text not null,
    seen_at integer not null,
    client text not null default '',
    primary key (workspace, agent)
) strict, without rowid;
