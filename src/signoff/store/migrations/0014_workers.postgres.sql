-- When work was last asked for as each agent, and by which program.

create table workers (
    workspace text collate "C" not null,
    agent text collate "C" not null,
    seen_at bigint not null,
    client text collate "C" not null default '',
    primary key (workspace, agent)
);
