-- Joins of a user who moves to another tenant meanwhile.

-- As before; and a user who moved to another tenant is not added, and leaves the room on the homeserver.
create or replace function add_member(of_tenant bigint, of_room text, of_user text) returns void
language plpgsql as $$
begin
    if exists (select from room_members
               where tenant_id = of_tenant and hub_user_id = of_user and matrix_room_id = of_room) then
        return;
    end if;
    -- The log's lock always comes first: whoever takes it later could deadlock with a sign-in.
    perform from feed_head for update;
    insert into room_members (tenant_id, hub_user_id, matrix_room_id, read_count)
    select of_tenant, hub_user_id, of_room,
           coalesce((select message_count from rooms where tenant_id = of_tenant and matrix_room_id = of_room), 0)
    from users where hub_user_id = of_user and tenant_id = of_tenant
    on conflict do nothing;
    if found then
        perform append_about(of_tenant, format('t%s:u:%s', of_tenant, of_user), 'room_joined', json_build_object(
            'room_id', of_room,
            'room', (select room_json(room) from room_views room where room.tenant_id = of_tenant
                         and room.hub_user_id = of_user and room.matrix_room_id = of_room))::text,
            (select last_event_id from rooms where tenant_id = of_tenant and matrix_room_id = of_room), false);
    elsif exists (select from users where hub_user_id = of_user and tenant_id <> of_tenant) then
        perform depart(of_tenant, of_room, of_user);
    end if;
end $$;
