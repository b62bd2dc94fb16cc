-- Rooms as their members see them: the read model of room lists, and of `room_joined` and `room_left`.

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
       room.activity, room.encrypted,
       (select count(*) from recent_messages recent
        where recent.tenant_id = room.tenant_id and recent.matrix_room_id = room.matrix_room_id
          and recent.number > member.read_count and (recent.mentions_room or recent.mentioned is not null)
          and (recent.mentions_room or member.hub_user_id = any (recent.mentioned))) as mention_count,
       member.muted, member.read_event_id
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

-- Returns a room as the event log keeps it.
create or replace function snapshot_of(room room_views) returns room_snapshot
language sql immutable as $$
    select room.display_name, room.room_type, room.topic, room.entity_type, room.entity_id, room.last_message_ts,
           room.unread_count, room.last_message, room.encrypted, room.mention_count, room.muted, room.read_event_id
$$;
