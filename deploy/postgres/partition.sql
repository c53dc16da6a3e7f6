-- Partitions the tables of intents by shard: every table with a column shard in its keys. A table that is partitioned
-- already stays as it is. Stop all servers first, and run this in one transaction, as the user of the servers, once
-- the schema is up to date (signoff db migrate):
--
--     psql "$SIGNOFF_DATABASE" --single-transaction --set ON_ERROR_STOP=1 --file partition.sql
--
-- PGOPTIONS="-c signoff.partitions=8" chooses how many partitions each table gets, 2 to 256; 16 without it.
-- The rows are copied: there must be room for both copies until the end.

do $$
declare
    parts constant integer := coalesce(nullif(current_setting('signoff.partitions', true), ''), '16')::integer;
    one record;
    index_definitions text[];
    statement text;
begin
    if parts not between 2 and 256 then
        raise exception 'signoff.partitions is %: choose 2 to 256.', parts;
    end if;
    lock table schema_version in access exclusive mode;  -- a server that starts now waits
    for one in
        select c.oid, c.relname as name, c.relname || '_unpartitioned' as former,
            coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '') as options,
            (
                select format('alter table %I add constraint %I %s', c.relname, k.conname, pg_get_constraintdef(k.oid))
                from pg_constraint k where k.conrelid = c.oid and k.contype = 'p'
            ) as primary_key
        from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and not c.relispartition
            and a.attname = 'shard' and a.attnotnull
        order by c.relname
    loop
        select coalesce(array_agg(pg_get_indexdef(i.indexrelid)), '{}') into index_definitions
        from pg_index i where i.indrelid = one.oid and not i.indisprimary;

        execute format('alter table %I rename to %I', one.name, one.former);
        execute format(
            'create table %I (like %I including defaults including constraints including storage)'
            ' partition by range (shard)', one.name, one.former
        );
        for part in 0 .. parts - 1 loop
            execute format(
                'create table %I partition of %I for values from (%s) to (%s)%s',
                one.name || '_' || part, one.name, 256 * part / parts, 256 * (part + 1) / parts, one.options
            );
        end loop;
        execute format('insert into %I select * from %I', one.name, one.former);
        execute format('drop table %I', one.former);  -- with its indexes, whose names are free again
        execute one.primary_key;
        foreach statement in array index_definitions loop
            execute statement;
        end loop;
    end loop;
end $$;
