-- Partitions of the event log by day (UTC), so that no event is deleted by itself at the end of its
-- retention.

-- Creates the partitions of today and the next seven days.
create or replace function create_event_partitions() returns void
language plpgsql as $$
declare
    today date := (now() at time zone 'utc')::date;
    day   date;
    part  text;
begin
    -- `rotate_events` holds this lock already; the migration waits for it.
    perform pg_advisory_xact_lock(hashtext('rotate_events'));
    for day in select today + offsets from generate_series(0, 7) as offsets loop
        part := 'events_' || to_char(day, 'YYYYMMDD');
        if to_regclass(part) is null then
            begin
                execute format('create table %I (like events including defaults including constraints)', part);
                execute format('alter table events attach partition %I for values from (%L) to (%L)',
                               part, day::timestamp at time zone 'utc', (day + 1)::timestamp at time zone 'utc');
            exception when check_violation then
                -- The default partition holds events of that day: they stay there.
                null;
            end;
        end if;
    end loop;
end $$;

-- The form without the second parameter, of which a default would make another function.
drop function if exists rotate_events(interval);

-- Creates the partitions of the next days, and drops those that are older than the retention. With
-- `p_keeps_unrelayed`, what the copy of the event log does not have yet stays. Returns at once if another
-- process is doing this.
create or replace function rotate_events(retention interval, p_keeps_unrelayed boolean default false)
returns void
language plpgsql as $$
declare
    part    text;
    last    bigint;
    relayed bigint := coalesce((select copy.relayed from feed_copy as copy), 0);
begin
    if not pg_try_advisory_xact_lock(hashtext('rotate_events')) then return; end if;
    perform create_event_partitions();
    for part in
        select child.relname from pg_inherits
        join pg_class child on child.oid = pg_inherits.inhrelid
        where pg_inherits.inhparent = 'events'::regclass and child.relname ~ '^events_\d{8}$'
          and to_date(right(child.relname, 8), 'YYYYMMDD') + 1 <= (now() - retention) at time zone 'utc'
        order by child.relname
    loop
        execute format('select max(position) from %I', part) into last;
        exit when p_keeps_unrelayed and last > relayed;
        update feed_head set trimmed = greatest(trimmed, coalesce(last, 0));
        execute format('drop table %I', part);
    end loop;
    with dropped as (
        delete from events_default where ctid in (
            select ctid from events_default
            where created_at < now() - retention and not (p_keeps_unrelayed and position > relayed)
            order by position limit 5000)
        returning position
    )
    update feed_head set trimmed = greatest(trimmed, (select coalesce(max(position), 0) from dropped))
    where exists (select from dropped);
end $$;

-- The first partitions; later ones are created by the worker's maintenance.
select create_event_partitions();
