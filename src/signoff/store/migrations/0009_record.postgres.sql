-- The record of who changed what: in one order for each workspace, found by what was changed, and who stands behind keys
-- and accounts whole, not only the first of them.

alter table workspaces add column last_change bigint not null default 0 check (last_change >= 0);

alter table changes add column number bigint not null default 0;
alter table changes add column subject text collate "C" not null default '';
update changes set
    number = numbered.number,
    subject = case kind
        when 'person' then 'person:' || coalesce(after::json ->> 'id', name)
        when 'workspace' then 'workspace'
        else kind || ':' || name
    end
from (select id, row_number() over (partition by workspace order by id) as number from changes) as numbered
where changes.id = numbered.id;
update workspaces set last_change = (
    select coalesce(max(number), 0) from changes where changes.workspace = workspaces.id
);
drop index changes_listed;
create unique index changes_listed on changes (workspace, number);
create index changes_of_subject on changes (workspace, subject, number);

alter table accounts add column behind text collate "C" not null default '{}';
update accounts set behind = json_build_object('registered', json_build_array(created_by))::text where created_by <> '';
alter table keys add column sponsors text collate "C" not null default '[]';
update keys set sponsors = json_build_array(created_by)::text where created_by <> '';
