-- The names that a workspace had: addresses and settings that name one go on meaning it.

alter table workspaces add column former text collate "C" not null default '[]';
