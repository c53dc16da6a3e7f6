-- Which policy decides what no workflow says, and what is done with a type that has none.

alter table workspaces add column default_policy text not null default '';
alter table workspaces add column unlisted_types text not null default 'allow'
    check (unlisted_types in ('allow', 'gate', 'refuse'));
