-- Rooms as their members see them: the read model of room lists, and its form in `room_joined` and
-- `room_left`.

create or replace view room_views as
select member.tenant_id, member.hub_user_id, room.matrix_room_id,
       case when room.kind = 'bot_dm' then 'dm' else room.kind end as room_type,
       -- A direct chat has the name of the other user.
       case when room.kind = 'dm' then coalesce(partner.display_name, partner_id)
            else coalesce(room.name, room.default_name) end as display_name,
       room.topic, room.entity_type, room.entity_id,
       greatest(room.message_count - member.read_count, 0) as unread_count,
       case when last.is_visible then room.last_message end as last_message,
       case when last.is_visible then room.last_message_ts end as last_message_ts,
       room.activity, room.encrypted
from room_members member
join rooms room on room.matrix_room_id = member.matrix_room_id and room.tenant_id = member.tenant_id
cross join lateral (
    select case when room.first_user = member.hub_user_id then room.second_user else room.first_user end as partner_id
) other
cross join lateral (
    -- A room with restricted history does not show a last message from before the member joined.
    select case when room.history_restricted then exists (
        select from recent_messages recent
        where recent.tenant_id = room.tenant_id and recent.matrix_room_id = room.matrix_room_id
          and recent.event_id = room.last_event_id and recent.received_at > member.joined_at)
    else true end as is_visible
) last
left join users partner on partner.hub_user_id = other.partner_id and partner.tenant_id = room.tenant_id;

-- Returns a room as `GET /rooms` shows it.
create or replace function room_json(room room_views) returns json
language sql stable as $$
    select json_build_object(
        'matrix_room_id', room.matrix_room_id, 'display_name', room.display_name, 'room_type', room.room_type,
        'topic', room.topic, 'entity_type', room.entity_type,
        'entity_id', case when room.entity_id ~ '^(0|-?[1-9][0-9]{0,17})$' then to_json(room.entity_id::bigint)
                          else to_json(room.entity_id) end,
        'unread_count', room.unread_count, 'last_message', room.last_message,
        'last_message_ts', to_char(room.last_message_ts at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'encrypted', room.encrypted)
$$;
