-- Up to which change of its people the open tasks of a workspace were held against it. What was left before, the doctor
-- names: nothing ends because a newer release looks at it.

alter table workspaces add column staffed_change integer not null default 0;
update workspaces set staffed_change = last_change;
