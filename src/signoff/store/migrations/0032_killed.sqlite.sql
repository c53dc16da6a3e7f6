-- When an agent was killed and by which person; null and '' if it was not, or was resumed.

alter table accounts add column killed_at integer;
alter table accounts add column killed_by text not null default '';
