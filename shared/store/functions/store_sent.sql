-- Marks notifications as sent, and appends the `notification_sent` event of each, in one transaction. Also those
-- that have expired or were cancelled meanwhile; repeated calls change nothing. Returns the notifications whose
-- room was closed meanwhile: their message has reached nobody, and they stay as they are.
--
-- The commit is durable, unlike that of a status alone: readers may have seen the positions.

create or replace function store_sent(p_ids bigint[], p_rooms text[], p_events text[], p_payloads text[])
returns bigint[]
language plpgsql as $$
#variable_conflict use_column
declare
    base  bigint;
    added bigint;
    lost  bigint[];
begin
    -- The lock of the event log comes first.
    select position into base from feed_head for update;
    with delivered as materialized (
        select id, room, event, payload, is_closed(room) as is_lost
        from unnest(p_ids, p_rooms, p_events, p_payloads) as delivered (id, room, event, payload)
    ), stored as (
        update notifications
        set status = 'sent', reason = null, matrix_room_id = delivered.room, matrix_event_id = delivered.event,
            answer_due = null, sent_at = now()
        from delivered
        where notifications.id = delivered.id and not is_lost and status in ('pending', 'expired', 'cancelled')
        returning notifications.id, tenant_id, target_user, announced, room, payload
    ), ranked as (
        select stored.*, row_number() over (order by id) as rank from stored where announced
    ), appended as (
        insert into events (position, tenant_id, audience, kind, notification_id, room_id, payload)
        select base + rank, tenant_id,
               case when target_user is null then format('t%s:a:', tenant_id)
                    else format('t%s:u:%s', tenant_id, target_user) end,
               'notification_sent', id, room, payload
        from ranked
    )
    select array_agg(id) filter (where is_lost), (select count(*) from ranked) into lost, added from delivered;
    if added > 0 then
        update feed_head set position = base + added;
        perform pg_notify('feed', (base + added)::text);
    end if;
    return coalesce(lost, '{}');
end $$;
