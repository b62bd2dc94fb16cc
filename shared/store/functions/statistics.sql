-- Figures of a tenant for its administrators.

-- Returns the number of notifications that a tenant sent in each of the last sixty minutes, oldest first.
create or replace function sends_per_minute(p_tenant bigint) returns bigint[]
language sql stable as $$
    select array_agg(coalesce(sent.count, 0) order by minute desc)
    from generate_series(0, 59) as minute
    left join (
        -- A notification of this moment may be stored after this transaction began.
        select greatest(floor(extract(epoch from now() - created_at) / 60), 0)::integer as minutes_ago, count(*)
        from notifications
        where tenant_id = p_tenant and id >= (select notification_id_at(now() - interval '1 hour'))
        group by 1
    ) sent on sent.minutes_ago = minute
$$;

-- Returns the notifications that failed within the last 24 hours after they were accepted, and those that
-- expired in the last 24 hours, by their reason.
create or replace function undelivered(p_tenant bigint) returns table (status text, reason text, count bigint)
language sql stable as $$
    select status, coalesce(reason, 'unknown'), count(*)
    from notifications
    where tenant_id = p_tenant and status in ('failed', 'expired')
      -- No notification waits for longer than seven days before it expires.
      and id >= (select notification_id_at(now() - interval '8 days'))
      and case status when 'failed' then created_at else expires_at end > now() - interval '24 hours'
    group by 1, 2
$$;
