-- Looking things up costs the same however much is stored, whatever the statistics say.

-- The edits of a room, looked up while its page is read from the homeserver.
create index message_edits_by_room on message_edits (matrix_room_id);

-- Users whose name or id begins with a text, and those of a tenant by name.
drop index users_by_tenant;
create index users_by_search_name on users (tenant_id, search_name collate "C", hub_user_id);
create index users_by_search_id on users (tenant_id, search_id collate "C");

-- A lane of a batch, and an entry of it. Composite types cost PostgreSQL much less than one array for each column.
-- `n` is their number in the batch, and `lane` the lane's; both begin with 1.
create type new_lane as (n integer, name text, tenant_id bigint, recipient text, wait double precision);
create type new_entry as (
    n integer, lane integer, lane_name text, tenant_id bigint, target_type text, recipient text, audience text,
    token text, source_app text, event_type text, title text, body text, entity_type text, entity_id jsonb,
    priority text, room text, payload text, wait double precision, key text, fingerprint text);

drop function accept_notifications(
    integer[], text[], text[], text[], text[], text[], text[], jsonb[], text[], text[], text[], double precision[],
    text[], text[], text[], bigint[], text[], text[], text[], double precision[], double precision);

-- Stores a batch of notifications with their live events, lanes and idempotency keys: all or nothing.
--
-- `lanes` are the lanes of the batch, each once. A lane is a room, so everything in one has the same tenant and, if it
-- is a direct chat, the same recipient.
--
-- Of each lane comes back: `free`, an entry may go at once, since nothing of its lane that was already answered is still
-- pending. Entries whose callers still wait do not count: what is concurrent has no order. `resting`: the lane waits after
-- a failure. `held`: its recipient is unknown, so it is announced when they sign in. Of each entry: its id, or what
-- `known_id` says, an entry that came before under the same key; nothing is stored of it then. `ends_at` is the last
-- position that was given; entries that are announced have, in their order, the positions up to it.
create function accept_notifications(
    entries new_entry[], lanes new_lane[], held_for double precision,
    out id bigint[], out known_id bigint[], out known_fingerprint text[],
    out free boolean[], out resting boolean[], out held boolean[], out created_at timestamptz, out ends_at bigint)
language plpgsql as $$
#variable_conflict use_column
declare
    size     bigint := cardinality(entries);
    base     bigint;
    at       timestamptz;
    -- The positions of the entries; null while all of them are announced, one after the other.
    places   bigint[];
    has_keys boolean;
    waking   boolean;
begin
    -- This lock comes first: whoever takes it later could deadlock, and with it nobody signs in meanwhile.
    update feed_head set position = position + size returning position into ends_at;
    base := ends_at - size;
    at := clock_timestamp();
    created_at := at;

    has_keys := exists (select from unnest(entries) as entry where entry.key is not null);
    if has_keys then
        select array_agg(known.notification_id order by entry.n), array_agg(known.fingerprint order by entry.n)
        into known_id, known_fingerprint
        from unnest(entries) as entry
        left join idempotency_keys known
            on known.tenant_id = entry.tenant_id and known.token = entry.token and known.key = entry.key;
        if array_remove(known_id, null) = '{}' then
            known_id := null;
        end if;
    end if;

    with lane as materialized (
        select lane.*,
               lane.recipient is not null and not exists (
                   select from users
                   where users.tenant_id = lane.tenant_id and users.hub_user_id = lane.recipient) as held,
               -- A range of one name, in the order of the index of what is pending: no other way is as cheap in any
               -- statistics. Of "equals" PostgreSQL may think that it comes soon in a scan of the whole table.
               (select earlier.id from notifications earlier
                where earlier.lane between lane.name and lane.name and earlier.status = 'pending'
                  and (earlier.answer_due is null or earlier.answer_due <= at)
                order by earlier.lane, earlier.id limit 1) is null as free,
               known_id is null or exists (
                   select from unnest(entries) as entry
                   where entry.lane = lane.n and known_id[entry.n] is null) as has_news
        from unnest(lanes) as lane
    ), stored as (
        insert into outbox_lanes as stored (name, due, version)
        select lane.name,
               case when held then 'infinity' when free then at + wait * interval '1 second' else at end,
               1
        from lane where has_news
        on conflict (name) do update
            set due = case when stored.attempts > 0 then stored.due else least(stored.due, excluded.due) end,
                version = stored.version + 1
        returning stored.name, stored.attempts > 0 and stored.due > at as resting
    )
    select array_agg(lane.free order by lane.n), array_agg(lane.held order by lane.n),
           array_agg(coalesce(stored.resting, false) order by lane.n),
           bool_or(not lane.held and case when lane.free then lane.wait = 0 else not coalesce(stored.resting, false) end)
    into free, held, resting, waking
    from lane left join stored on stored.name = lane.name;

    if known_id is not null or true = any (held) then
        select array_agg(case when x.told then base + x.rank end order by x.n), base + coalesce(max(x.rank), 0)
        into places, ends_at
        from (select told.n, told.told, count(*) filter (where told.told) over (order by told.n) as rank
              from (select entry.n, not held[entry.lane] and known_id[entry.n] is null as told
                    from unnest(entries) as entry) told) x;
        update feed_head set position = ends_at;
    end if;

    id := array(select nextval('notifications_id_seq') from generate_series(1, size));

    insert into notifications (id, tenant_id, token, source_app, event_type, title, body, target_type, entity_type,
        entity_id, target_user, priority, lane, reason, matrix_room_id, answer_due, announced, expires_at, created_at)
    overriding system value
    select id[entry.n], entry.tenant_id, entry.token, entry.source_app, entry.event_type, entry.title, entry.body,
           entry.target_type, entry.entity_type, entry.entity_id, entry.recipient, entry.priority, entry.lane_name,
           case when held[entry.lane] then 'recipient_not_provisioned' end, entry.room,
           -- Only what its own caller delivers is left alone by the worker meanwhile.
           case when free[entry.lane] and entry.wait > 0 and not held[entry.lane]
                then at + entry.wait * interval '1 second' end,
           not held[entry.lane],
           case when held[entry.lane] then at + held_for * interval '1 second' end,
           at
    from unnest(entries) as entry
    where known_id is null or known_id[entry.n] is null;

    insert into events (position, tenant_id, audience, kind, notification_id, payload, created_at)
    select coalesce(places[entry.n], base + entry.n), entry.tenant_id, entry.audience, 'notification', id[entry.n],
           entry.payload, at
    from unnest(entries) as entry
    where places is null or places[entry.n] is not null;

    if has_keys then
        insert into idempotency_keys (tenant_id, token, key, fingerprint, notification_id)
        select entry.tenant_id, entry.token, entry.key, entry.fingerprint, id[entry.n]
        from unnest(entries) as entry
        where entry.key is not null and (known_id is null or known_id[entry.n] is null);
    end if;

    if waking then
        perform pg_notify('work', '');
    end if;
    if ends_at > base then
        perform pg_notify('feed', ends_at::text);
    end if;
end $$;
