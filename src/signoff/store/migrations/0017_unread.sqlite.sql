-- Deliveries that went out on an agent's stream and that the agent has not read yet: they are shown again when it
-- comes back, on whichever server.

create table unread (
    workspace text not null,
    agent text not null,
    intent_id text not null,
    cursor integer not null,
    shown_at integer not null,
    primary key (workspace, agent, intent_id)
) strict, without rowid;
