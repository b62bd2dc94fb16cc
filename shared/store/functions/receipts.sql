-- Read positions of members.

-- Marks all messages of a room as read, and notifies the user's other devices. Returns whether that changed
-- anything, and no row if the user is not a member.
create or replace function mark_read(p_tenant bigint, p_room text, p_user text) returns table (changed boolean)
language plpgsql as $$
begin
    if not exists (select from room_members
                   where tenant_id = p_tenant and hub_user_id = p_user and matrix_room_id = p_room) then
        return;
    end if;
    if exists (select from room_views room where room.tenant_id = p_tenant and room.hub_user_id = p_user
                   and room.matrix_room_id = p_room and room.unread_count = 0) then
        return query select false;
        return;
    end if;
    perform from feed_head for update;
    update room_members member
    set read_count = room.message_count, read_event_id = coalesce(room.last_event_id, member.read_event_id)
    from rooms room
    where room.tenant_id = p_tenant and room.matrix_room_id = p_room and member.tenant_id = p_tenant
      and member.hub_user_id = p_user and member.matrix_room_id = p_room;
    perform append_unread(p_tenant, p_user, p_room, 0);
    return query select true;
end $$;

-- Applies receipts: moves each read position forward to the latest known message of `events`, and notifies
-- the user's devices. Returns the number `n` of each receipt that names no known message, if the member has
-- unread messages. Takes no lock if nothing changes.
create or replace function read_up_to(batch jsonb) returns setof integer
language plpgsql
set plan_cache_mode = force_generic_plan
as $$
declare
    one       record;
    is_locked boolean := false;
    unread    bigint;
begin
    for one in
        select receipt.n, member.tenant_id, member.hub_user_id, member.matrix_room_id, member.read_count, receipt.ids,
               (select max(recent.number) from recent_messages recent
                where recent.tenant_id = room.tenant_id and recent.matrix_room_id = room.matrix_room_id
                  and recent.event_id = any (receipt.ids)) as number
        from (select x.n, x.room, x.localpart, array(select jsonb_array_elements_text(x.events)) as ids
              from jsonb_to_recordset(batch) as x (n integer, room text, localpart text, events jsonb)) receipt
        join rooms room on room.matrix_room_id = receipt.room
        join users on users.localpart = receipt.localpart
        join room_members member on member.tenant_id = room.tenant_id and member.hub_user_id = users.hub_user_id
                                and member.matrix_room_id = room.matrix_room_id
        where member.read_count < room.message_count
        order by receipt.n
    loop
        if one.number is null then
            return next one.n;
        elsif one.number > one.read_count then
            -- The lock of the event log comes first; while it is held no redaction moves the positions.
            if not is_locked then
                perform from feed_head for update;
                is_locked := true;
            end if;
            update room_members member set read_count = known.number, read_event_id = known.event_id
            from (select recent.number, recent.event_id from recent_messages recent
                  where recent.tenant_id = one.tenant_id and recent.matrix_room_id = one.matrix_room_id
                    and recent.event_id = any (one.ids)
                  order by recent.number desc limit 1) known
            where member.tenant_id = one.tenant_id and member.hub_user_id = one.hub_user_id
              and member.matrix_room_id = one.matrix_room_id and member.read_count < known.number
            returning (select room.message_count from rooms room
                       where room.tenant_id = one.tenant_id and room.matrix_room_id = one.matrix_room_id)
                      - member.read_count
            into unread;
            if found then
                perform append_unread(one.tenant_id, one.hub_user_id, one.matrix_room_id, greatest(unread, 0));
            end if;
        end if;
    end loop;
end $$;
