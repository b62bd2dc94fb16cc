-- Closing of rooms by administrators.

-- Returns whether a room was closed.
create or replace function is_closed(p_room text) returns boolean
language sql stable as $$
    select exists (select from closed_rooms where matrix_room_id = p_room)
$$;

-- Ends all memberships of a room, each with its live event and a pending leave. The events do not hold the
-- last message. The caller holds the lock of the event log.
create or replace function end_memberships(p_tenant bigint, p_room text) returns void
language plpgsql as $$
declare
    base  bigint := (select position from feed_head);
    ended bigint;
begin
    insert into events (position, tenant_id, audience, kind, leave_reason, room_id, room)
    select base + row_number() over (order by seen.hub_user_id), p_tenant,
           format('t%s:u:%s', p_tenant, seen.hub_user_id), 'room_left', 'closed', p_room,
           row(seen.display_name, seen.room_type, seen.topic, seen.entity_type, seen.entity_id, seen.last_message_ts,
               seen.unread_count, null, seen.encrypted, seen.mention_count, seen.muted, null)::room_snapshot
    from room_views seen
    where seen.tenant_id = p_tenant and seen.matrix_room_id = p_room;
    get diagnostics ended = row_count;
    if ended > 0 then
        update feed_head set position = base + ended;
        perform pg_notify('feed', (base + ended)::text);
    end if;
    with gone as (
        delete from room_members where tenant_id = p_tenant and matrix_room_id = p_room returning hub_user_id
    )
    insert into pending_leaves (hub_user_id, matrix_room_id)
    select hub_user_id, p_room from gone
    on conflict (hub_user_id, matrix_room_id) do update set due = now(), attempts = 0;
end $$;

-- Closes a room of a tenant: its members leave it, its messages are no longer readable, and its key has no
-- room. The rooms that it replaced are closed with it. The homeserver's part is due then.
--
-- Results: `closed`, `already_closed`, `general` (everybody's room is not closed), `replaced` (with the
-- `successor`); null if the tenant has no such room. Only `closed` changes something.
create or replace function close_room(
    p_tenant bigint, p_room text, p_actor text, p_address text, p_request text, out result text, out successor text)
language plpgsql as $$
declare
    room    rooms;
    closing text[];
    members bigint;
begin
    -- The lock of the event log comes first. No member is added, and no event ingested, while it is held.
    perform from feed_head for update;
    select * into room from rooms where tenant_id = p_tenant and matrix_room_id = p_room for update;
    if not found then
        select current into successor from former_rooms where tenant_id = p_tenant and matrix_room_id = p_room;
        result := case
            when found then 'replaced'
            when exists (select from closed_rooms where tenant_id = p_tenant and matrix_room_id = p_room)
                then 'already_closed'
        end;
        return;
    end if;
    if room.kind = 'general' then
        result := 'general';
        return;
    end if;
    closing := array(select p_room union all
                     select matrix_room_id from former_rooms where tenant_id = p_tenant and current = p_room);
    members := (select count(*) from room_members where tenant_id = p_tenant and matrix_room_id = p_room);
    perform end_memberships(p_tenant, p_room);
    delete from recent_messages where tenant_id = p_tenant and matrix_room_id = any (closing);
    delete from message_edits where tenant_id = p_tenant and matrix_room_id = any (closing);
    delete from reactions where tenant_id = p_tenant and matrix_room_id = any (closing);
    delete from media where tenant_id = p_tenant and matrix_room_id = any (closing);
    delete from former_rooms where matrix_room_id = any (closing);
    delete from rooms where tenant_id = p_tenant and kind = room.kind and key = room.key;
    -- Pending notifications go to the next room of the key.
    update notifications set matrix_room_id = null
    where queue between format('t%s:%s:%s', p_tenant, room.kind, room.key)
                    and format('t%s:%s:%s', p_tenant, room.kind, room.key)
      and status = 'pending' and matrix_room_id = any (closing);
    insert into closed_rooms (matrix_room_id, tenant_id, kind, key)
    select id, p_tenant, room.kind, room.key from unnest(closing) as closed (id);
    perform append_audit(
        p_tenant, p_actor, p_address, p_request, 'room.close', p_room,
        jsonb_build_object('kind', room.kind, 'key', room.key,
                           'name', coalesce(room.name, nullif(room.default_name, '')), 'topic', room.topic,
                           'members', members, 'messages', room.message_count),
        null);
    -- Processes that have the room cached forget it.
    perform pg_notify('closed_rooms', id) from unnest(closing) as closed (id);
    perform pg_notify('work', '');
    result := 'closed';
end $$;
