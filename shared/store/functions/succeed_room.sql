-- Lets a room replace another: it takes over the key, the messages, and the named members with what they have
-- read. Returns `false` if the old room is unknown, or if the new one was closed.

create or replace function succeed_room(
    p_tenant bigint, p_old text, p_new text, p_members text[], is_encrypted boolean, is_restricted boolean)
    returns boolean
language plpgsql as $$
declare
    restricted boolean;
    former     room_members[];
begin
    -- The lock of the event log comes first.
    perform from feed_head for update;
    if is_closed(p_new) then
        return false;
    end if;
    -- An adopted room has its Matrix id as key: later members were never in it.
    select history_restricted or (kind = 'custom' and key like '\%21%') into restricted
    from rooms where tenant_id = p_tenant and matrix_room_id = p_old for update;
    if not found then
        return false;
    end if;
    -- The new room may have been adopted on its own.
    delete from room_members where tenant_id = p_tenant and matrix_room_id = p_new;
    delete from recent_messages where tenant_id = p_tenant and matrix_room_id = p_new;
    delete from rooms where tenant_id = p_tenant and matrix_room_id = p_new;
    update former_rooms set current = p_new where current = p_old;
    insert into former_rooms (matrix_room_id, tenant_id, replaced_by, current, history_restricted)
    values (p_old, p_tenant, p_new, p_new, restricted);
    select coalesce(array_agg(member order by hub_user_id), '{}') into former
    from room_members member where tenant_id = p_tenant and matrix_room_id = p_old;
    perform remove_member(p_tenant, p_old, one.hub_user_id) from unnest(former) one;
    update rooms
    set matrix_room_id = p_new, encrypted = encrypted or is_encrypted,
        history_restricted = history_restricted or is_restricted
    where tenant_id = p_tenant and matrix_room_id = p_old;
    update recent_messages set matrix_room_id = p_new where tenant_id = p_tenant and matrix_room_id = p_old;
    perform add_member(p_tenant, p_new, named.id) from unnest(p_members) as named (id);
    update room_members member
    set read_count = one.read_count, read_event_id = one.read_event_id, muted = one.muted, joined_at = one.joined_at
    from unnest(former) one
    where member.tenant_id = p_tenant and member.matrix_room_id = p_new and member.hub_user_id = one.hub_user_id;
    return true;
end $$;
