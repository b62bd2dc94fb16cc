-- Effects of a redaction on stored events and on the room's last message.

-- Sets the last message of a room to the latest recent message, as last edited; to none if all recent
-- messages are redacted.
create or replace function refresh_last_message(p_tenant bigint, p_room text) returns void
language sql as $$
    update rooms
    set (last_event_id, last_message) = (
        select recent.event_id, coalesce(edit.summary, recent.summary)
        from recent_messages recent
        left join lateral (
            select summary from message_edits edit
            where edit.event_id = recent.event_id and edit.tenant_id = p_tenant
            order by edited_at desc, edit_event_id collate "C" desc limit 1
        ) edit on true
        where recent.tenant_id = p_tenant and recent.matrix_room_id = p_room
        order by recent.number desc limit 1)
    where tenant_id = p_tenant and matrix_room_id = p_room
$$;

-- Removes a redacted message from the counts of its room: members who have not read it have one unread
-- message less. Returns `false` if it is none of the recent messages. An older message stays counted; a
-- member with that many unread messages reads the room from its end anyway.
create or replace function remove_recent_message(p_tenant bigint, p_room text, p_event text) returns boolean
language plpgsql as $$
declare
    removed bigint;
begin
    delete from recent_messages where tenant_id = p_tenant and matrix_room_id = p_room and event_id = p_event
    returning number into removed;
    if not found then
        return false;
    end if;
    update recent_messages set number = number - 1
    where tenant_id = p_tenant and matrix_room_id = p_room and number > removed;
    update rooms set message_count = message_count - 1 where tenant_id = p_tenant and matrix_room_id = p_room;
    update room_members set read_count = read_count - 1
    where tenant_id = p_tenant and matrix_room_id = p_room and read_count >= removed;
    update room_members set read_event_id = (
        select event_id from recent_messages
        where tenant_id = p_tenant and matrix_room_id = p_room and number < removed
        order by number desc limit 1)
    where tenant_id = p_tenant and matrix_room_id = p_room and read_event_id = p_event;
    return true;
end $$;

-- Returns the payload of an event without its content. Only the listed fields stay, so that a new field is
-- removed by default.
create or replace function redacted_payload(p_kind text, payload jsonb) returns text
language sql immutable as $$
    select (coalesce(jsonb_object_agg(key, value) filter (where key in (
                'room_id', 'event_id', 'edit_event_id', 'reaction_event_id', 'sender', 'sender_display_name',
                'timestamp')), '{}')
            || case p_kind when 'reaction' then '{"key": "", "redacted": true}'
                           else '{"body": "", "msg_type": "m.text", "redacted": true, "reply_to": null,
                                  "formatted_body": null, "mentions": {"hub_user_ids": [], "room": false}}'
               end::jsonb)::text
    from jsonb_each(payload)
$$;

-- Removes the content of a redacted event from the event log: a message with all its edits, a reaction, or
-- one edit (`p_event`) of a message. Also removes it where the log holds it as the last message of a room.
-- Positions and types stay, so that cursors stay valid.
create or replace function redact_events(p_tenant bigint, p_room text, p_message text, p_event text) returns void
language sql
set plan_cache_mode = force_generic_plan
as $$
    update events
    set payload = redacted_payload(kind, payload::jsonb)
    where about = p_message and tenant_id = p_tenant and audience = format('t%s:r:%s', p_tenant, p_room)
      and kind <> 'message_redacted' and (p_message = p_event or payload::jsonb ->> 'edit_event_id' = p_event);
    update events
    set room.last_message = null
    where about = p_message and tenant_id = p_tenant and room_id = p_room and (room).last_message is not null;
$$;
