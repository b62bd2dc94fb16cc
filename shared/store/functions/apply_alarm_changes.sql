-- Stores changes of different alarms. Of a change whose alarm does not have its `expected` revision any more
-- nothing is stored, and its number `n` is returned; each other one is stored as a whole.
--
-- `p_episodes`, `p_entries` (of the journal) and `p_events` name their change by `n`. The events have the place of
-- each in the whole batch, the entries that in their change.

create or replace function apply_alarm_changes(
    p_changes jsonb, p_episodes jsonb, p_entries jsonb, p_events jsonb) returns integer[]
language plpgsql
-- Planning the statements for each call costs more than the call.
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    base  bigint;
    added bigint;
    fresh integer[];
begin
    -- This lock comes first, as in every writer of events. No other change is stored while it is held.
    select position into base from feed_head for update;

    fresh := array(
        select change.n
        from jsonb_to_recordset(p_changes) as change (
            n integer, id bigint, tenant_id bigint, source_app text, dedup_key text, expected bigint)
        left join alarms stored using (tenant_id, source_app, dedup_key)
        where coalesce(stored.id, change.id) = change.id and coalesce(stored.revision, 0) = change.expected
        order by change.n);

    insert into alarms as stored (
        id, tenant_id, source_app, dedup_key, revision, state_revision, episode, state, started_at, occurred_at,
        occurred_action, activations, chattering_until, repeated_ring_at, published_at, is_publish_due, next_at)
    select id, tenant_id, source_app, dedup_key, revision, state_revision, episode, state, started_at, occurred_at,
           occurred_action, activations, chattering_until, repeated_ring_at, published_at, is_publish_due, next_at
    from jsonb_to_recordset(p_changes) as change (
        n integer, id bigint, tenant_id bigint, source_app text, dedup_key text, revision bigint,
        state_revision bigint, episode bigint, state text, started_at timestamptz, occurred_at timestamptz,
        occurred_action text, activations timestamptz[], chattering_until timestamptz, repeated_ring_at timestamptz,
        published_at timestamptz, is_publish_due boolean, next_at timestamptz)
    where n = any (fresh)
    on conflict (id) do update
        set revision = excluded.revision, state_revision = excluded.state_revision, episode = excluded.episode,
            state = excluded.state, started_at = excluded.started_at, occurred_at = excluded.occurred_at,
            occurred_action = excluded.occurred_action, activations = excluded.activations,
            chattering_until = excluded.chattering_until, repeated_ring_at = excluded.repeated_ring_at,
            published_at = excluded.published_at, is_publish_due = excluded.is_publish_due,
            next_at = excluded.next_at, lease_until = '-infinity';

    perform store_alarm_episodes(p_episodes, fresh);

    insert into alarm_journal (alarm_id, revision, n, at, episode, state, deadline, input_id, via, notification_id,
                               hub_user_id, user_name, event_id, action, comment, outcome, detail)
    select alarm_id, revision, place, at, episode, state, deadline, input_id, via, notification_id, hub_user_id,
           user_name, event_id, action, comment, outcome, detail
    from jsonb_to_recordset(p_entries) as entry (
        n integer, alarm_id bigint, revision bigint, place integer, at timestamptz, episode bigint, state text,
        deadline text, input_id bigint, via text, notification_id bigint, hub_user_id text, user_name text,
        event_id text, action text, comment text, outcome text, detail text)
    where n = any (fresh);
    with consumed as materialized (
        select input_id, notification_id, alarm_id, episode, outcome, detail
        from jsonb_to_recordset(p_entries) as entry (
            n integer, alarm_id bigint, input_id bigint, notification_id bigint, episode bigint, outcome text,
            detail text)
        where n = any (fresh) and input_id is not null
    ), deleted as (
        delete from alarm_inputs where id in (select input_id from consumed)
    )
    -- Nothing is to be shown of these: they are done, unless the root message is still to come.
    update notifications
    set status = case outcome when 'ignored' then 'ignored' else 'sent' end,
        reason = case outcome when 'ignored' then detail end,
        matrix_room_id = case outcome when 'ignored' then matrix_room_id else episode.root_room end,
        matrix_event_id = case outcome when 'ignored' then null else episode.root_event end,
        sent_at = case outcome when 'ignored' then null else now() end
    from consumed
    left join alarm_episodes episode on episode.alarm_id = consumed.alarm_id and episode.number = consumed.episode
    where notifications.id = consumed.notification_id and status = 'in_alarm'
      and (outcome in ('ignored', 'refused')
           or outcome = 'unchanged' and (episode.root_event is not null or episode.due is null));

    with event as materialized (
        select event.*, notification.created_at, row_number() over (order by event.place) as rank
        from jsonb_to_recordset(p_events) as event (
            n integer, place integer, tenant_id bigint, audience text, kind text, room text, payload text,
            notification_id bigint)
        left join notifications notification on notification.id = event.notification_id
        where event.n = any (fresh)
    ), announced as (
        update notifications set announced = true
        from event where notifications.id = event.notification_id and not notifications.announced
    ), awaited as (
        update alarm_episodes episode set announced_ids = episode.announced_ids || entry.ids
        from (
            select entry.alarm_id, entry.episode, array_agg(entry.notification_id) as ids
            from event join alarm_journal entry on entry.notification_id = event.notification_id
            group by entry.alarm_id, entry.episode) entry
        where episode.alarm_id = entry.alarm_id and episode.number = entry.episode
    )
    insert into events (position, tenant_id, audience, kind, notification_id, notification_created_at, room_id,
                        payload)
    select base + rank, tenant_id, audience, kind, notification_id, created_at, room, payload from event;
    get diagnostics added = row_count;
    if added > 0 then
        update feed_head set position = base + added;
        perform pg_notify('feed', (base + added)::text);
    end if;

    return array(
        select n from jsonb_to_recordset(p_changes) as change (n integer) where n <> all (fresh) order by n);
end $$;

-- Stores the changed episodes of the changes in `fresh`, with their rings, and makes their room queues due. The
-- caller holds the lock of the event log.
create or replace function store_alarm_episodes(p_episodes jsonb, fresh integer[]) returns void
language plpgsql
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    wakes_worker boolean;
begin
    -- A null in `pause` is a message that is due at once.
    update alarm_episodes stored
    set state = episode.state, event_type = episode.event_type, title = episode.title, body = episode.body,
        priority = episode.priority, occurrences = episode.occurrences, last_occurred_at = episode.last_occurred_at,
        active_since = episode.active_since, is_stale = episode.is_stale, ack_via = episode.ack_via,
        ack_notification = episode.ack_notification, ack_user = episode.ack_user,
        ack_user_name = episode.ack_user_name, ack_event = episode.ack_event, ack_comment = episode.ack_comment,
        acked_at = episode.acked_at, ack_expires_at = episode.ack_expires_at, cleared_at = episode.cleared_at,
        cleared_by = episode.cleared_by, cleared_user = episode.cleared_user,
        cleared_user_name = episode.cleared_user_name, resolve_at = episode.resolve_at, ended_at = episode.ended_at,
        is_closed_unseen = episode.is_closed_unseen,
        -- The root message may be on its way, without the inputs of this change.
        revision = case when is_shown or stored.root_event is null then episode.revision else stored.revision end,
        state_revision = case when is_shown and pause is null then episode.revision else stored.state_revision end,
        quiet_edits = case when is_shown and pause is null then 0 else stored.quiet_edits end,
        due = case
            when not is_shown then stored.due
            when pause is null then now()
            else coalesce(stored.due, greatest(now(), stored.sent_at + interval '1 second' * least(
                60, pause * 2 ^ least(stored.quiet_edits, 9)))) end
    from jsonb_to_recordset(p_episodes) as episode (
        n integer, alarm_id bigint, number bigint, state text, event_type text, title text, body text,
        priority text, occurrences bigint, last_occurred_at timestamptz, active_since timestamptz,
        is_stale boolean, ack_via text, ack_notification bigint, ack_user text, ack_user_name text,
        ack_event text, ack_comment text, acked_at timestamptz, ack_expires_at timestamptz,
        cleared_at timestamptz, cleared_by text, cleared_user text, cleared_user_name text,
        resolve_at timestamptz, ended_at timestamptz, is_closed_unseen boolean, revision bigint,
        is_shown boolean, pause double precision)
    where episode.n = any (fresh) and stored.alarm_id = episode.alarm_id and stored.number = episode.number;

    insert into alarm_episodes (
        alarm_id, number, state, event_type, title, body, target_type, entity_type, entity_id, target_user,
        priority, ack_required, ack_expires_after, notification_id, occurrences, last_occurred_at, started_at,
        active_since, is_stale, ack_via, ack_notification, ack_user, ack_user_name, ack_event, ack_comment,
        acked_at, ack_expires_at, cleared_at, cleared_by, cleared_user, cleared_user_name, resolve_at, ended_at,
        is_closed_unseen, revision, state_revision, queue, place, due)
    select
        alarm_id, number, state, event_type, title, body, target_type, entity_type, entity_id, target_user,
        priority, ack_required, ack_expires_after, notification_id, occurrences, last_occurred_at, started_at,
        active_since, is_stale, ack_via, ack_notification, ack_user, ack_user_name, ack_event, ack_comment,
        acked_at, ack_expires_at, cleared_at, cleared_by, cleared_user, cleared_user_name, resolve_at, ended_at,
        is_closed_unseen, revision, revision, queue, nextval('notifications_id_seq'), now()
    from jsonb_to_recordset(p_episodes) as episode (
        n integer, alarm_id bigint, number bigint, state text, event_type text, title text, body text,
        target_type text, entity_type text, entity_id jsonb, target_user text, priority text,
        ack_required boolean, ack_expires_after double precision, notification_id bigint, occurrences bigint,
        last_occurred_at timestamptz, started_at timestamptz, active_since timestamptz, is_stale boolean,
        ack_via text, ack_notification bigint, ack_user text, ack_user_name text, ack_event text,
        ack_comment text, acked_at timestamptz, ack_expires_at timestamptz, cleared_at timestamptz,
        cleared_by text, cleared_user text, cleared_user_name text, resolve_at timestamptz,
        ended_at timestamptz, is_closed_unseen boolean, revision bigint, queue text)
    where n = any (fresh) and not exists (
        select from alarm_episodes stored
        where stored.alarm_id = episode.alarm_id and stored.number = episode.number)
    order by n, number;

    -- A waiting ring gives way to a later one.
    with ring as materialized (
        select alarm_id, number, revision, ring, queue
        from jsonb_to_recordset(p_episodes) as episode (
            n integer, alarm_id bigint, number bigint, revision bigint, ring text, queue text)
        where n = any (fresh) and ring is not null
    ), dropped as (
        update rings set state = 'dropped'
        from ring where rings.alarm_id = ring.alarm_id and rings.state = 'waiting'
    )
    insert into rings (alarm_id, episode, reason, revision, queue)
    select alarm_id, number, ring, revision, queue from ring;

    with queue as materialized (
        select queue as name, min(case when ring is not null then now() else stored.due end) as due
        from jsonb_to_recordset(p_episodes) as episode (n integer, alarm_id bigint, number bigint, ring text)
        join alarm_episodes stored using (alarm_id, number)
        where n = any (fresh) and (stored.due is not null or ring is not null)
        group by queue
    ), stored as (
        insert into outbox_queues as stored (name, due, version, has_alarms)
        select name, due, 1, true from queue
        on conflict (name) do update
            set due = case when stored.attempts > 0 then stored.due else least(stored.due, excluded.due) end,
                version = stored.version + 1, has_alarms = true
        returning stored.due
    )
    select bool_or(due <= now()) into wakes_worker from stored;
    if wakes_worker then
        perform pg_notify('work', '');
    end if;
end $$;
