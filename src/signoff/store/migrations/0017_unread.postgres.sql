-- Deliveries that went out on an agent's stream and that the agent has not read yet: they are shown again when it
-- comes back, on whichever server.

create table unread (
    workspace text collate "C" not null,
    agent text collate "C" not null,
    intent_id text collate "C" not null,
    cursor bigint not null,
    shown_at bigint not null,
    primary key (workspace, agent, intent_id)
);
