-- Self-approval as the first start turns it on: only while the workspace has one person. Where there are several
-- already, or somebody turned it on, it stays what it was for everybody.

alter table workspaces add column self_approval_alone integer not null default 0 check (self_approval_alone in (0, 1));
update workspaces set self_approval_alone = 1 where self_approval = 1
    and (select count(*) from people where people.workspace = workspaces.id) <= 1
    and not exists (
        select 1 from changes
        where changes.workspace = workspaces.id and kind = 'workspace' and instr(changes.before, '"self_approval":false') > 0
    );
