-- Finds notifications for administrators without an index for each filter.

-- Looks at up to 20 000 notifications with ids from `p_first` to `p_last`, in the order of an index, and
-- returns the first `p_limit` ids that match; without a limit the number of all that match. `searched` is the
-- last one that was looked at, if there are more to look at. `p_from` and `p_to` are times of storing. Nulls
-- in the other fields match anything.
--
-- The index is `tenant`, `app` for one `source_app`, or `unsent` for a status in which nothing was delivered.
-- "Between" in place of "equals" for one of its columns leaves the planner no other index in this order, and
-- it may not sort: it would read a whole tenant first. The far end of the range does not end an index scan,
-- so it is checked afterwards.
create or replace function find_notifications(
    p_index text, p_ascending boolean, p_tenant bigint, p_first bigint, p_last bigint, p_limit bigint,
    p_from timestamptz, p_to timestamptz, p_app text, p_status text, p_priority text, p_target_type text,
    p_target text, p_text text, p_test boolean,
    out ids bigint[], out matched bigint, out searched bigint)
language plpgsql stable
set enable_sort = off
set enable_incremental_sort = off
set enable_seqscan = off
set enable_bitmapscan = off
-- The costs of disabled scans would start it.
set jit = off
as $$
declare
    direction text := case when p_ascending then 'asc' else 'desc' end;
    sorted_by text := case when p_index = 'app' then format('source_app %1$s, id %1$s', direction)
                           else format('tenant_id %1$s, id %1$s', direction) end;
    near      text := case when p_ascending then 'id >= $3' else 'id <= $4' end;
    far       text := case when p_ascending then 'id <= $4' else 'id >= $3' end;
    scanned   text := case p_index
        when 'app' then 'tenant_id = $1 and source_app between $2 and $2'
        when 'unsent' then 'tenant_id between $1 and $1 and status in (''failed'', ''expired'', ''cancelled'')'
        else 'tenant_id between $1 and $1' end
        || format(' and %s order by %s limit 20000', near, sorted_by);
    -- The last one that was looked at, if there are more.
    ended_at  text := case when p_ascending
        then 'case when count(*) = 20000 and max(id) < $4 then max(id) end'
        else 'case when count(*) = 20000 and min(id) > $3 then min(id) end' end;
    matching  text := far || '
        and ($2 is null or source_app = $2) and ($6 is null or status = $6 or $6 = ''pending'' and status = ''in_alarm'')
        and ($7 is null or priority = $7)
        and ($8 is null or target_type = $8)
        and ($9 is null or target_user = $9 or entity_type || '':'' || (entity_id #>> ''{}'') = $9)
        and ($10 is null or strpos(lower(title), $10) > 0 or strpos(lower(body), $10) > 0)
        and ($11 is null or (source_app = ''messenger-admin'' and event_type = ''test'') = $11)';
begin
    if p_from is not null then
        p_first := greatest(p_first, notification_id_at(p_from));
    end if;
    if p_to is not null then
        p_last := least(p_last, notification_id_at(p_to) - 1);
    end if;
    if p_limit is not null then
        execute format(
            'select array(select id from (select * from notifications where %s) scanned
                          where %s order by %s limit $5)',
            scanned, matching, sorted_by)
        into ids
        using p_tenant, p_app, p_first, p_last, p_limit, p_status, p_priority, p_target_type, p_target,
              lower(p_text), p_test;
        matched := cardinality(ids);
        if matched = p_limit then
            searched := ids[matched];
            return;
        end if;
        execute format('select %s from (select id from notifications where %s) scanned', ended_at, scanned)
        into searched using p_tenant, p_app, p_first, p_last;
    else
        execute format(
            'select count(*) filter (where matches), %s
             from (select id, %s as matches from notifications where %s) scanned',
            ended_at, matching, scanned)
        into matched, searched
        using p_tenant, p_app, p_first, p_last, p_limit, p_status, p_priority, p_target_type, p_target,
              lower(p_text), p_test;
    end if;
end $$;
