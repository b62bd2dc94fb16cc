-- Stores the room of a key with its first members, and returns the id of the key's room. If the key has a
-- room already, that one is returned and nothing is stored; if it is the same room, it gets the marks. A room that
-- another key of the tenant has got meanwhile, as by an upgrade, stays there and is returned. A closed room is not
-- stored: the result is null.

create or replace function register_room(
    p_tenant bigint, p_kind text, p_key text, p_room text, p_name text, p_default_name text, p_topic text,
    p_creator text, p_entity_type text, p_entity_id text, p_first_user text, p_second_user text, p_members text[],
    is_encrypted boolean, is_restricted boolean) returns text
language plpgsql as $$
declare
    registered text;
begin
    -- The lock of the event log comes first.
    perform from feed_head for update;
    if is_closed(p_room) then
        return null;
    end if;
    if exists (select from rooms
               where matrix_room_id = p_room and tenant_id = p_tenant and (kind, key) <> (p_kind, p_key)) then
        delete from rooms where tenant_id = p_tenant and kind = p_kind and key = p_key and matrix_room_id is null;
        select matrix_room_id into registered from rooms where tenant_id = p_tenant and kind = p_kind and key = p_key;
        return coalesce(registered, p_room);
    end if;
    insert into rooms as room (tenant_id, kind, key, matrix_room_id, name, default_name, topic, created_by, entity_type,
                               entity_id, first_user, second_user, encrypted, history_restricted)
    values (p_tenant, p_kind, p_key, p_room, p_name, p_default_name, p_topic, p_creator, p_entity_type, p_entity_id,
            p_first_user, p_second_user, is_encrypted, is_restricted)
    on conflict (tenant_id, kind, key) do update
        set matrix_room_id = excluded.matrix_room_id, name = excluded.name, default_name = excluded.default_name,
            topic = excluded.topic, created_by = excluded.created_by, entity_type = excluded.entity_type,
            entity_id = excluded.entity_id, first_user = excluded.first_user, second_user = excluded.second_user,
            encrypted = excluded.encrypted, history_restricted = excluded.history_restricted
        where room.matrix_room_id is null;
    if found then
        perform add_member(p_tenant, p_room, member.id) from unnest(p_members) as member (id);
        return p_room;
    end if;
    select matrix_room_id into registered from rooms where tenant_id = p_tenant and kind = p_kind and key = p_key;
    if registered = p_room and (is_encrypted or is_restricted) then
        update rooms
        set encrypted = encrypted or is_encrypted, history_restricted = history_restricted or is_restricted
        where matrix_room_id = p_room;
    end if;
    return registered;
end $$;
