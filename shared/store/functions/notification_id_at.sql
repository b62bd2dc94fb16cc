-- Finds notifications by time without an index on it.

-- Returns an id: the notifications from it on are those that were stored at `p_time` or later. Ids are in the
-- order of `created_at`, since both are set under the lock of `feed_head`. A binary search over the primary
-- key reads one row for each doubling of the table. Call it as `(select notification_id_at(…))`, so that it
-- runs once for a statement.
create or replace function notification_id_at(p_time timestamptz) returns bigint
language plpgsql stable parallel safe as $$
declare
    low    bigint := coalesce((select min(id) from notifications), 0);
    high   bigint := coalesce((select max(id) + 1 from notifications), 0);
    middle bigint;
    probe  record;
begin
    while low < high loop
        middle := low + (high - low) / 2;
        -- Ids have gaps: the first one from the middle on decides for them.
        select id, created_at into probe from notifications where id >= middle order by id limit 1;
        if probe.created_at < p_time then
            low := probe.id + 1;
        else
            high := middle;
        end if;
    end loop;
    return low;
end $$;
