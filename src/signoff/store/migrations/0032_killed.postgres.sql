-- When an agent was killed and by which person; null and '' if it was not, or was resumed.

alter table accounts add column killed_at bigint;
alter table accounts add column killed_by text collate "C" not null default '';
