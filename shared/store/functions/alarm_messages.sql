-- The messages of alarms on the homeserver: root messages, their edits, and rings.

-- Begins to send the root message of an episode into a room. Returns the number of the root message and the
-- revision of the first attempt: the homeserver answers a repeated transaction id with its first content. In
-- another room than that of the last attempt another root message begins.
create or replace function begin_alarm_root(
    p_alarm bigint, p_episode bigint, p_revision bigint, p_room text, out its_root bigint, out its_revision bigint)
language sql as $$
    update alarm_episodes
    set root = case when root_room <> p_room then root + 1 else root end,
        root_event = case when root_room <> p_room then null else root_event end,
        root_revision = case when root_room = p_room then root_revision else p_revision end,
        root_room = p_room
    where alarm_id = p_alarm and number = p_episode
    returning root, root_revision
$$;

-- Marks the next notifications that a sent message of an episode shows as sent, without those of which a live event
-- reports it (`store_alarm_message`). They are the inputs up to `p_revision` that no earlier message has shown. Begins
-- after an entry of the journal, or with the first one, and returns the last entry that it looked at; null at the end.
-- It takes no lock but those of the notifications, since a message may show many thousands.
create or replace function mark_alarm_notifications(
    p_alarm bigint, p_episode bigint, p_revision bigint, p_room text, p_event text, p_after bigint, p_after_n integer,
    out last_revision bigint, out last_n integer)
language plpgsql
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    if is_closed(p_room) then
        return;
    end if;
    if p_after is null then
        select sent_revision, 2147483647 into p_after, p_after_n
        from alarm_episodes where alarm_id = p_alarm and number = p_episode;
    end if;
    with entry as materialized (
        select revision, n, episode, notification_id from alarm_journal
        where alarm_id = p_alarm and (revision, n) > (p_after, p_after_n) and revision <= p_revision
        order by alarm_id, revision, n limit 1000
    ), marked as (
        update notifications
        set status = 'sent', reason = null, matrix_room_id = p_room, matrix_event_id = p_event, sent_at = now()
        from entry
        where notifications.id = entry.notification_id and entry.episode = p_episode
          and status = 'in_alarm' and not announced
    )
    select revision, n into last_revision, last_n
    from entry where (select count(*) from entry) = 1000 order by revision desc, n desc limit 1;
end $$;

-- Stores that the homeserver has the root message of an episode (`p_edit` is null) or an edit of it, which shows
-- all up to `p_revision`. `mark_alarm_notifications` comes before. Returns `false`, and stores nothing, if the room
-- was closed meanwhile. Repeating it changes nothing.
create or replace function store_alarm_message(
    p_alarm bigint, p_episode bigint, p_root bigint, p_revision bigint, p_room text, p_event text, p_edit text,
    p_payload text) returns boolean
language plpgsql
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    base    bigint;
    added   bigint;
    awaited bigint[];
begin
    -- The lock of the event log comes first. No change of an alarm is stored while it is held.
    select position into base from feed_head for update;
    if is_closed(p_room) then
        return false;
    end if;
    insert into alarm_messages (event_id, matrix_room_id, alarm_id, episode, kind)
    values (coalesce(p_edit, p_event), p_room, p_alarm, p_episode,
            case when p_edit is null then 'root' else 'edit' end)
    on conflict do nothing;
    update alarm_episodes episode
    set root_event = case when episode.root = p_root then p_event else episode.root_event end,
        sent_revision = greatest(episode.sent_revision, p_revision), sent_at = now(),
        announced_ids = array(
            select id from unnest(episode.announced_ids) as id
            where not exists (
                select from alarm_journal entry
                where entry.notification_id = id and entry.revision <= p_revision)),
        quiet_edits = case when p_edit is null or episode.state_revision > before.sent_revision then 0
                           else episode.quiet_edits + 1 end,
        due = case
            when episode.revision <= p_revision then null
            when episode.state_revision > p_revision then now()
            else now() + interval '1 second' * least(60, 10 * 2 ^ least(
                case when p_edit is null or episode.state_revision > before.sent_revision then 0
                     else episode.quiet_edits + 1 end, 9)) end
    from alarm_episodes before
    where episode.alarm_id = p_alarm and episode.number = p_episode
      and before.alarm_id = p_alarm and before.number = p_episode
    returning before.announced_ids into awaited;
    if awaited <> '{}' then
        with stored as (
            update notifications
            set status = 'sent', reason = null, matrix_room_id = p_room, matrix_event_id = p_event, sent_at = now()
            from alarm_journal entry
            where entry.notification_id = any (awaited) and entry.revision <= p_revision
              and notifications.id = entry.notification_id and status = 'in_alarm'
            returning notifications.id, tenant_id, target_user
        ), ranked as (
            select stored.*, row_number() over (order by id) as rank from stored
        )
        insert into events (position, tenant_id, audience, kind, notification_id, room_id, payload)
        select base + rank, tenant_id,
               case when target_user is null then format('t%s:a:', tenant_id)
                    else format('t%s:u:%s', tenant_id, target_user) end,
               'notification_sent', id, p_room, p_payload
        from ranked;
        get diagnostics added = row_count;
        if added > 0 then
            update feed_head set position = base + added;
            perform pg_notify('feed', (base + added)::text);
        end if;
    end if;
    return true;
end $$;

-- Stores that the homeserver rejected a root message or an edit for good. Another attempt follows with the next
-- change.
create or replace function store_alarm_rejection(
    p_alarm bigint, p_episode bigint, p_revision bigint, p_reason text, p_detail text) returns void
language plpgsql
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    since bigint;
begin
    update alarm_episodes episode
    set announced_ids = '{}', sent_revision = greatest(episode.sent_revision, p_revision), sent_at = now(),
        due = case when episode.revision > p_revision then now() end
    from alarm_episodes before
    where episode.alarm_id = p_alarm and episode.number = p_episode
      and before.alarm_id = p_alarm and before.number = p_episode
    returning before.sent_revision into since;
    with failed as (
        update notifications set status = 'failed', reason = p_reason
        from alarm_journal entry
        where entry.alarm_id = p_alarm and entry.revision > since and entry.revision <= p_revision
          and entry.episode = p_episode and entry.notification_id = notifications.id and status = 'in_alarm'
        returning id, attempts
    )
    insert into delivery_failures (notification_id, attempt, reason, detail)
    select id, attempts + 1, p_reason, p_detail from failed;
end $$;

-- Begins a ring: it begins before an acknowledgement is stored, or never. It is dropped if its reason is over, and
-- if the root message, which rings itself, was first tried with this change or a later one. Returns whether it is to
-- be sent. A ring of which an earlier attempt began is checked again.
create or replace function begin_ring(p_ring bigint) returns boolean
language plpgsql as $$
declare
    its_alarm bigint := (select alarm_id from rings where id = p_ring);
    is_needed boolean;
begin
    -- A change of the alarm waits for this lock, or this for the change.
    perform from alarms where id = its_alarm for share;
    select alarm.episode = ring.episode and episode.state in ('active_unack', 'active_ack')
           and episode.acked_at is null
           and episode.root_event is not null and episode.root_revision < ring.revision
    into is_needed
    from rings ring
    join alarms alarm on alarm.id = ring.alarm_id
    join alarm_episodes episode on episode.alarm_id = ring.alarm_id and episode.number = ring.episode
    where ring.id = p_ring;
    is_needed := coalesce(is_needed, false);
    update rings set state = case when is_needed then 'sending' else 'dropped' end
    where id = p_ring and state in ('waiting', 'sending');
    return found and is_needed;
end $$;

-- Stores the part of an ingested event in an alarm of its tenant: a message of the alarm (`p_action` is null), which
-- may not be stored yet if the process that sent it was killed, or an act of an operator who reads the alarm. The
-- caller holds the lock of the event log.
create or replace function ingest_alarm_part(
    p_tenant bigint, p_room text, p_event text, p_alarm bigint, p_episode bigint, p_action text, p_source text,
    p_user text, p_user_name text, p_comment text) returns void
language plpgsql as $$
begin
    perform from alarms alarm
    join alarm_episodes episode on episode.alarm_id = alarm.id
    where alarm.id = p_alarm and alarm.tenant_id = p_tenant and episode.number = p_episode
      and (p_action is null or episode.target_user is null or episode.target_user = p_user);
    if not found then
        return;
    end if;
    if p_action is null then
        insert into alarm_messages (event_id, matrix_room_id, alarm_id, episode, kind)
        values (p_event, p_room, p_alarm, p_episode, 'root') on conflict do nothing;
    else
        insert into alarm_inputs (alarm_id, received_at, action, hub_user_id, user_name, event_id, episode, comment)
        values (p_alarm, clock_timestamp(), p_action, p_user, p_user_name, p_source, p_episode, p_comment)
        on conflict do nothing;
        perform pg_notify('work', '');
    end if;
end $$;
