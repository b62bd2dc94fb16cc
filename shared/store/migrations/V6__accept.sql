-- Accepting notifications with fewer and simpler statements: what is decided once for each lane is not decided again
-- for each entry, and what almost no batch has (retry keys, recipients who are unknown) costs nothing where it is not.

drop function accept_notifications(jsonb);

-- Stores a batch of notifications with their live events, lanes and idempotency keys: all or nothing.
--
-- The `lane_…` arrays describe the lanes of the batch, each once; `in_lane` says which of them an entry is in. A lane is
-- a room, so everything in one has the same tenant and, if it is a direct chat, the same recipient.
--
-- `free`: an entry may go at once, since nothing of its lane that was already answered is still pending. Entries whose
-- callers still wait do not count: what is concurrent has no order. `resting`: the lane waits after a failure.
-- `held`: its recipient is unknown, so it is announced when they sign in. `known_id`: an entry that came before, under
-- the same key; nothing is stored of it. `ends_at` is the last position that was given; entries that are announced
-- have, in their order, the positions up to it.
create function accept_notifications(
    in_lane integer[], token text[], source_app text[], event_type text[], title text[], body text[],
    entity_type text[], entity_id jsonb[], priority text[], room text[], payload text[], wait double precision[],
    key text[], fingerprint text[],
    lane_name text[], lane_tenant bigint[], lane_target text[], lane_user text[], lane_audience text[],
    lane_wait double precision[], held_for double precision,
    out id bigint[], out known_id bigint[], out known_fingerprint text[],
    out free boolean[], out resting boolean[], out held boolean[], out created_at timestamptz, out ends_at bigint)
language plpgsql
-- Arrays of one element look cheap enough to PostgreSQL to plan anew for each call, which costs more than the call.
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    size   bigint := cardinality(in_lane);
    base   bigint;
    at     timestamptz;
    -- The positions of the entries; null while all of them are announced, one after the other.
    places bigint[];
    waking boolean := false;
begin
    -- This lock comes first: whoever takes it later could deadlock, and with it nobody signs in meanwhile.
    update feed_head set position = position + size returning position into ends_at;
    base := ends_at - size;
    at := clock_timestamp();
    created_at := at;

    if array_remove(key, null) <> '{}' then
        select array_agg(known.notification_id order by x.n), array_agg(known.fingerprint order by x.n)
        into known_id, known_fingerprint
        from unnest(in_lane, token, key) with ordinality as x (lane, token, key, n)
        left join idempotency_keys known
            on known.tenant_id = lane_tenant[x.lane] and known.token = x.token and known.key = x.key;
    end if;

    select array_agg(not exists (
               select from notifications earlier
               where earlier.lane = x.name and earlier.status = 'pending'
                 and (earlier.answer_due is null or earlier.answer_due <= at)) order by x.n)
    into free from unnest(lane_name) with ordinality as x (name, n);

    if array_remove(lane_user, null) <> '{}' then
        select array_agg(x.who is not null and not exists (
                   select from users where users.tenant_id = x.tenant and users.hub_user_id = x.who) order by x.n)
        into held from unnest(lane_user, lane_tenant) with ordinality as x (who, tenant, n);
    else
        held := array_fill(false, array[cardinality(lane_name)]);
    end if;

    if known_id is not null or true = any (held) then
        select array_agg(case when x.told then base + x.rank end order by x.n), base + coalesce(max(x.rank), 0)
        into places, ends_at
        from (select told.n, told.told, count(*) filter (where told.told) over (order by told.n) as rank
              from (select lane.n, not held[lane.lane] and known_id[lane.n] is null as told
                    from unnest(in_lane) with ordinality as lane (lane, n)) told) x;
        update feed_head set position = ends_at;
    end if;

    with stored as (
        insert into outbox_lanes as lane (name, due, version)
        select x.name, case when held[x.n] then 'infinity'
                            when free[x.n] then at + x.wait * interval '1 second'
                            else at end, 1
        from unnest(lane_name, lane_wait) with ordinality as x (name, wait, n)
        where known_id is null or exists (
            select from unnest(in_lane, known_id) as entry (lane, known_id)
            where entry.lane = x.n and entry.known_id is null)
        on conflict (name) do update
            set due = case when lane.attempts > 0 then lane.due else least(lane.due, excluded.due) end,
                version = lane.version + 1
        returning lane.name, lane.attempts > 0 and lane.due > at as resting
    )
    select array_agg(coalesce(stored.resting, false) order by x.n)
    into resting
    from unnest(lane_name) with ordinality as x (name, n) left join stored on stored.name = x.name;

    id := array(select nextval('notifications_id_seq') from generate_series(1, size));

    insert into notifications (id, tenant_id, token, source_app, event_type, title, body, target_type, entity_type,
        entity_id, target_user, priority, lane, reason, matrix_room_id, answer_due, announced, expires_at, created_at)
    overriding system value
    select id[x.n], lane_tenant[x.lane], x.token, x.source_app, x.event_type, x.title, x.body, lane_target[x.lane],
           x.entity_type, x.entity_id, lane_user[x.lane], x.priority, lane_name[x.lane],
           case when held[x.lane] then 'recipient_not_provisioned' end, x.room,
           -- Only what its own caller delivers is left alone by the worker meanwhile.
           case when free[x.lane] and x.wait > 0 and not held[x.lane]
                then at + x.wait * interval '1 second' end,
           not held[x.lane],
           case when held[x.lane] then at + held_for * interval '1 second' end,
           at
    from unnest(in_lane, token, source_app, event_type, title, body, entity_type, entity_id, priority, room, wait)
        with ordinality
        as x (lane, token, source_app, event_type, title, body, entity_type, entity_id, priority, room, wait, n)
    where known_id is null or known_id[x.n] is null;

    insert into events (position, tenant_id, audience, kind, notification_id, payload, created_at)
    select coalesce(places[x.n], base + x.n), lane_tenant[x.lane], lane_audience[x.lane], 'notification', id[x.n],
           x.payload, at
    from unnest(in_lane, payload) with ordinality as x (lane, payload, n)
    where places is null or places[x.n] is not null;

    if array_remove(key, null) <> '{}' then
        insert into idempotency_keys (tenant_id, token, key, fingerprint, notification_id)
        select lane_tenant[x.lane], x.token, x.key, x.fingerprint, id[x.n]
        from unnest(in_lane, token, key, fingerprint) with ordinality as x (lane, token, key, fingerprint, n)
        where x.key is not null and known_id[x.n] is null;
    end if;

    for lane in 1 .. cardinality(lane_name) loop
        waking := waking or not held[lane] and case when free[lane] then lane_wait[lane] = 0 else not resting[lane] end;
    end loop;
    if waking then
        perform pg_notify('work', '');
    end if;
    if ends_at > base then
        perform pg_notify('feed', ends_at::text);
    end if;
end $$;

-- Whoever appends says up to where the log reaches: who has read that far need not look.

create or replace function tell(of_tenant bigint, to_audience text, of_kind text, with_payload text) returns void
language plpgsql as $$
declare
    next bigint;
begin
    update feed_head set position = position + 1 returning position into next;
    insert into events (position, tenant_id, audience, kind, payload)
    values (next, of_tenant, to_audience, of_kind, with_payload);
    perform pg_notify('feed', next::text);
end $$;

create or replace function append_events(batch jsonb) returns bigint
language plpgsql as $$
declare
    base  bigint;
    added bigint;
begin
    select position into base from feed_head for update;
    with told as materialized (
        select distinct on (coalesce(x.key, x.n::text)) x.*
        from jsonb_to_recordset(batch)
            as x (n integer, tenant_id bigint, audience text, kind text, payload text, key text)
        order by coalesce(x.key, x.n::text), x.n
    ), fresh as materialized (
        select told.*, row_number() over (order by told.n) as rank
        from told
        where told.key is null or not exists (select from event_keys known where known.key = told.key)
    ), keyed as (
        insert into event_keys (key) select key from fresh where key is not null
    )
    insert into events (position, tenant_id, audience, kind, payload)
    select base + rank, tenant_id, audience, kind, payload from fresh;
    get diagnostics added = row_count;
    if added > 0 then
        update feed_head set position = base + added;
        perform pg_notify('feed', (base + added)::text);
    end if;
    return added;
end $$;

create or replace function announce_notification(of_id bigint, to_audience text, with_payload text) returns void
language plpgsql as $$
declare
    next bigint;
    of_tenant bigint;
begin
    -- Its recipient is there: from now on it waits for nobody but the homeserver, and for that without end.
    update notifications set announced = true, expires_at = null, reason = null
    where id = of_id and not announced
    returning tenant_id into of_tenant;
    if found then
        update feed_head set position = position + 1 returning position into next;
        insert into events (position, tenant_id, audience, kind, notification_id, payload)
        values (next, of_tenant, to_audience, 'notification', of_id, with_payload);
        perform pg_notify('feed', next::text);
    end if;
end $$;
