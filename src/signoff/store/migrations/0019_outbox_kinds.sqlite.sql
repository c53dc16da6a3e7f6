-- A row of the outbox says what it holds, instead of being told by the shape of its channel and target.

alter table outbox add column kind text not null default '';
update outbox set kind = case
    when channel = 'push' then 'push'
    when channel = 'proposals' then 'admin'
    when channel = 'people' then 'people'
    when channel = 'nobody' then 'nobody_reached'
    when substr(target, 1, 4) = 'per_' then 'person'
    else 'service'
end;
