-- Stores a batch of notifications with their live events, room queues and idempotency keys: all or nothing.
--
-- `inputs` holds the entries that are inputs of alarms; null if there are none. They are stored without a live
-- event and outside the room queue: the change of their alarm publishes and delivers them. An alarm that is not
-- stored yet is stored without a revision.
--
-- `queues` holds each room queue of the batch once. All entries of a queue have the same tenant and, in a
-- direct chat, the same recipient. `rooms` holds each room of the entries once; null if none has a room.
--
-- Results for each queue:
-- * `free`: an entry may be delivered at once, since no earlier entry of the queue that was already answered
--   is pending. Entries whose callers still wait do not count: concurrent requests have no order.
-- * `backing_off`: the queue waits after a failed delivery.
-- * `held`: the recipient is unknown; the entry is announced when they sign in.
-- Results for each entry:
-- * `id`: the new notification.
-- * `known_id`, `known_fingerprint`: the notification that came earlier under the same key; then nothing is
--   stored.
-- `closed` holds the rooms of entries that were closed meanwhile; null if there are none. Those entries are
-- stored without their room.
-- `ends_at` is the last position of the batch. The announced entries have, in their order, the positions up
-- to it.

-- The form without inputs of alarms.
drop function if exists accept_notifications(new_entry[], new_queue[], text[], double precision);

create or replace function accept_notifications(
    entries new_entry[], queues new_queue[], rooms text[], held_for double precision,
    inputs new_alarm_input[] default null,
    out id bigint[], out known_id bigint[], out known_fingerprint text[],
    out free boolean[], out backing_off boolean[], out held boolean[], out created_at timestamptz,
    out closed text[], out ends_at bigint)
language plpgsql as $$
#variable_conflict use_column
declare
    size      bigint := cardinality(entries);
    base      bigint;
    at        timestamptz;
    -- The positions of the entries; null if all of them are announced, one after the other.
    positions bigint[];
    has_keys  boolean;
    -- The alarm of each entry; null if no entry has one.
    alarm_ids bigint[];
    is_input  boolean[];
    -- A worker has to look at a queue of the batch now: its entries are left to the worker.
    wakes_worker boolean;
begin
    -- This lock comes first, as in every writer of events. No user is created or moves to another tenant
    -- while it is held. Each entry gets a position; below, those of entries without an event are given back.
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

    if inputs is not null then
        is_input := array(
            select input.n is not null
            from unnest(entries) as entry left join unnest(inputs) as input on input.n = entry.n
            order by entry.n);
    end if;

    with queue as materialized (
        select queue.*,
               queue.recipient is not null and not exists (
                   select from users
                   where users.tenant_id = queue.tenant_id and users.hub_user_id = queue.recipient) as held,
               -- A range of one name in the order of `notifications_pending`: with "equals" PostgreSQL may
               -- scan the whole table in the order of `id`, depending on the statistics.
               (select earlier.id from notifications earlier
                where earlier.queue between queue.name and queue.name and earlier.status = 'pending'
                  and (earlier.answer_due is null or earlier.answer_due <= at)
                order by earlier.queue, earlier.id limit 1) is null
               and not exists (
                   select from alarm_episodes episode
                   where episode.queue between queue.name and queue.name
                     and episode.due is not null and episode.root_event is null)
                   as free,
               (known_id is null and is_input is null) or exists (
                   select from unnest(entries) as entry
                   where entry.queue = queue.n and known_id[entry.n] is null
                     and is_input[entry.n] is not true) as has_new_entries
        from unnest(queues) as queue
    ), stored as (
        insert into outbox_queues as stored (name, due, version)
        select queue.name,
               case when held then 'infinity' when free then at + wait * interval '1 second' else at end,
               1
        from queue where has_new_entries
        on conflict (name) do update
            set due = case when stored.attempts > 0 then stored.due else least(stored.due, excluded.due) end,
                version = stored.version + 1
        returning stored.name, stored.attempts > 0 and stored.due > at as backing_off
    )
    select array_agg(queue.free order by queue.n), array_agg(queue.held order by queue.n),
           -- A queue of inputs alone is not stored.
           array_agg(coalesce(
               stored.backing_off,
               case when is_input is not null then (
                   select waiting.attempts > 0 and waiting.due > at
                   from outbox_queues waiting where waiting.name = queue.name) end,
               false) order by queue.n),
           bool_or(not queue.held and (is_input is null or has_new_entries)
                   and case when queue.free then queue.wait = 0 else not coalesce(stored.backing_off, false) end)
    into free, held, backing_off, wakes_worker
    from queue left join stored on stored.name = queue.name;

    if known_id is not null or is_input is not null or true = any (held) then
        with candidate as (
            select entry.n, not held[entry.queue] and known_id[entry.n] is null and is_input[entry.n] is not true
                   as is_announced
            from unnest(entries) as entry
        ), ranked as (
            select n, is_announced, count(*) filter (where is_announced) over (order by n) as rank
            from candidate
        )
        select array_agg(case when is_announced then base + rank end order by n), base + coalesce(max(rank), 0)
        into positions, ends_at
        from ranked;
        update feed_head set position = ends_at;
    end if;

    if rooms is not null then
        select array_agg(room.matrix_room_id) into closed
        from closed_rooms room where room.matrix_room_id = any (rooms);
    end if;

    id := array(select nextval('notifications_id_seq') from generate_series(1, size));

    if inputs is not null then
        alarm_ids := store_alarm_inputs(entries, inputs, id, known_id, at);
    end if;

    insert into notifications (id, tenant_id, token, source_app, event_type, title, body, target_type, entity_type,
        entity_id, target_user, priority, queue, status, reason, matrix_room_id, answer_due, announced, expires_at,
        created_at, request_id, traceparent, alarm_id)
    overriding system value
    select id[entry.n], entry.tenant_id, entry.token, entry.source_app, entry.event_type, entry.title, entry.body,
           entry.target_type, entry.entity_type, entry.entity_id, entry.recipient, entry.priority, entry.queue_name,
           case when is_input[entry.n] then 'in_alarm' else 'pending' end,
           case when held[entry.queue] then 'recipient_not_provisioned' end,
           case when entry.room = any (closed) then null else entry.room end,
           -- Only an entry that its caller delivers is left to the caller for a while.
           case when free[entry.queue] and entry.wait > 0 and not held[entry.queue] and is_input[entry.n] is not true
                then at + entry.wait * interval '1 second' end,
           not held[entry.queue] and is_input[entry.n] is not true,
           case when held[entry.queue] and is_input[entry.n] is not true
                then at + held_for * interval '1 second' end,
           at, entry.request_id, entry.traceparent, alarm_ids[entry.n]
    from unnest(entries) as entry
    where known_id is null or known_id[entry.n] is null;

    insert into events (position, tenant_id, audience, kind, notification_id, notification_created_at, room_id, payload,
                        created_at)
    select coalesce(positions[entry.n], base + entry.n), entry.tenant_id, entry.audience, 'notification',
           id[entry.n], at, case when entry.room = any (closed) then null else entry.room end, entry.payload, at
    from unnest(entries) as entry
    where positions is null or positions[entry.n] is not null;

    if has_keys then
        insert into idempotency_keys (tenant_id, token, key, fingerprint, notification_id)
        select entry.tenant_id, entry.token, entry.key, entry.fingerprint, id[entry.n]
        from unnest(entries) as entry
        where entry.key is not null and (known_id is null or known_id[entry.n] is null);
    end if;

    if wakes_worker then
        perform pg_notify('work', '');
    end if;
    if ends_at > base then
        perform pg_notify('feed', ends_at::text);
    end if;
end $$;
