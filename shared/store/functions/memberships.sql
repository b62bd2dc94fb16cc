-- Changes of memberships, each with its live event. Repeated calls change nothing.

-- Adds a user to a room. Earlier messages are not unread. A user who has moved to another tenant, or whose room
-- was closed meanwhile, is not added, and leaves the room on the homeserver.
create or replace function add_member(p_tenant bigint, p_room text, p_user text) returns void
language plpgsql as $$
begin
    if exists (select from room_members
               where tenant_id = p_tenant and hub_user_id = p_user and matrix_room_id = p_room) then
        return;
    end if;
    -- The lock of the event log comes first.
    perform from feed_head for update;
    if is_closed(p_room) then
        perform leave_room(p_tenant, p_room, p_user);
        return;
    end if;
    insert into room_members (tenant_id, hub_user_id, matrix_room_id, read_count, read_event_id, joined_position)
    select p_tenant, hub_user_id, p_room, coalesce(room.message_count, 0), room.last_event_id,
           (select position from feed_head)
    from users
    left join rooms room on room.tenant_id = p_tenant and room.matrix_room_id = p_room
    where users.hub_user_id = p_user and users.tenant_id = p_tenant
    on conflict do nothing;
    if found then
        perform append_membership(p_tenant, p_user, 'room_joined', p_room, (
            select snapshot_of(room) from room_views room
            where room.tenant_id = p_tenant and room.hub_user_id = p_user and room.matrix_room_id = p_room));
    elsif exists (select from users where hub_user_id = p_user and tenant_id <> p_tenant) then
        perform leave_room(p_tenant, p_room, p_user);
    end if;
end $$;

-- Switches the sounds of a room off or on for a member, and notifies the member's devices (`p_payload`).
-- Repeating it changes nothing. Returns `false` if the user is no member.
create or replace function set_muted(p_tenant bigint, p_room text, p_user text, p_muted boolean, p_payload text)
    returns boolean
language plpgsql as $$
declare
    is_muted boolean := (
        select muted from room_members
        where tenant_id = p_tenant and matrix_room_id = p_room and hub_user_id = p_user);
begin
    if is_muted is null or is_muted = p_muted then
        return is_muted is not null;
    end if;
    -- The lock of the event log comes first.
    perform from feed_head for update;
    update room_members set muted = p_muted
    where tenant_id = p_tenant and matrix_room_id = p_room and hub_user_id = p_user and muted <> p_muted;
    if found then
        perform append_event(p_tenant, format('t%s:u:%s', p_tenant, p_user), 'room_muted', p_room, p_payload);
    end if;
    return true;
end $$;

-- Removes a user from a room.
create or replace function remove_member(p_tenant bigint, p_room text, p_user text) returns void
language plpgsql as $$
declare
    room room_snapshot;
begin
    perform from feed_head for update;
    room := (
        select snapshot_of(seen) from room_views seen
        where seen.tenant_id = p_tenant and seen.hub_user_id = p_user and seen.matrix_room_id = p_room);
    delete from room_members where tenant_id = p_tenant and matrix_room_id = p_room and hub_user_id = p_user;
    if found then
        perform append_membership(p_tenant, p_user, 'room_left', p_room, room);
    end if;
end $$;

-- Removes a user from a room, and has a worker end the membership on the homeserver.
create or replace function leave_room(p_tenant bigint, p_room text, p_user text) returns void
language plpgsql as $$
begin
    perform remove_member(p_tenant, p_room, p_user);
    insert into pending_leaves (hub_user_id, matrix_room_id) values (p_user, p_room)
    on conflict (hub_user_id, matrix_room_id) do update set due = now(), attempts = 0;
    perform pg_notify('work', '');
end $$;

-- Appends `room_joined` or `room_left`. It holds the room's last message, so a redaction of that message must
-- find the event.
create or replace function append_membership(
    p_tenant bigint, p_user text, p_kind text, p_room text, p_snapshot room_snapshot) returns void
language plpgsql as $$
begin
    perform append_user_event(
        p_tenant, p_user, p_kind, p_room,
        (select last_event_id from rooms where tenant_id = p_tenant and matrix_room_id = p_room),
        p_snapshot => p_snapshot);
end $$;
