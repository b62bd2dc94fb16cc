-- Appends a batch of events, each key once. Returns the number of new events.

create or replace function append_events(batch jsonb) returns bigint
language plpgsql as $$
declare
    base  bigint;
    added bigint;
begin
    select position into base from feed_head for update;
    with candidate as materialized (
        select distinct on (coalesce(x.key, x.n::text)) x.*
        from jsonb_to_recordset(batch)
            as x (n integer, tenant_id bigint, audience text, kind text, room text, payload text, key text)
        order by coalesce(x.key, x.n::text), x.n
    ), new_event as materialized (
        select candidate.*, row_number() over (order by candidate.n) as rank
        from candidate
        where candidate.key is null or not exists (select from event_keys known where known.key = candidate.key)
    ), keyed as (
        insert into event_keys (key) select key from new_event where key is not null
    )
    insert into events (position, tenant_id, audience, kind, room_id, payload)
    select base + rank, tenant_id, audience, kind, room, payload from new_event;
    get diagnostics added = row_count;
    if added > 0 then
        update feed_head set position = base + added;
        perform pg_notify('feed', (base + added)::text);
    end if;
    return added;
end $$;
