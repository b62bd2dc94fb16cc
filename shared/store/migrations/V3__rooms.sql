-- Rooms as their members see them, who is still to leave them on the homeserver, and passwords for other Matrix clients.

alter table rooms
    -- What an entity room is about, as its key says; the key holds it escaped.
    add column entity_type text,
    add column entity_id   text,
    -- The two of a direct chat.
    add column first_user  text,
    add column second_user text;
create index rooms_directory on rooms (tenant_id, kind) where matrix_room_id is not null;

-- Rooms of before: their key, unescaped.
create function pg_temp.unescaped(part text) returns text
language sql as $$
    select coalesce(convert_from(string_agg(
               case when piece[1] like '\%__' then decode(substr(piece[1], 2), 'hex') else convert_to(piece[1], 'UTF8') end,
               ''::bytea order by n), 'UTF8'), '')
    from regexp_matches(part, '%..|[^%]+', 'g') with ordinality as pieces (piece, n)
$$;
update rooms
set entity_type = pg_temp.unescaped(split_part(key, '/', 1)), entity_id = pg_temp.unescaped(split_part(key, '/', 2))
where kind = 'entity';
update rooms set name = pg_temp.unescaped(key) where kind = 'service' and name is null;

-- A room as one of its members sees it.
create view room_views as
select member.tenant_id, member.hub_user_id, room.matrix_room_id, room.kind,
       case when room.kind = 'bot_dm' then 'dm' else room.kind end as room_type,
       case when room.kind = 'dm' then coalesce(partner.display_name, partner_id)
            else coalesce(room.name, nullif(concat_ws(' ', room.entity_type, room.entity_id), ''),
                          case room.kind when 'general' then 'Allgemein' else room.kind end)
       end as display_name,
       room.topic, room.entity_type, room.entity_id,
       greatest(room.message_count - member.read_count, 0) as unread_count,
       room.last_message, room.last_message_ts, room.created_at
from room_members member
join rooms room on room.matrix_room_id = member.matrix_room_id and room.tenant_id = member.tenant_id
cross join lateral (
    select case when room.first_user = member.hub_user_id then room.second_user else room.first_user end as partner_id
) other
left join users partner on partner.hub_user_id = other.partner_id and partner.tenant_id = room.tenant_id;

-- The same as `GET /rooms` shows it, for events.
create function room_json(room room_views) returns json
language sql stable as $$
    select json_build_object(
        'matrix_room_id', room.matrix_room_id, 'display_name', room.display_name, 'room_type', room.room_type,
        'topic', room.topic, 'entity_type', room.entity_type,
        'entity_id', case when room.entity_id ~ '^(0|-?[1-9][0-9]{0,17})$' then to_json(room.entity_id::bigint)
                          else to_json(room.entity_id) end,
        'unread_count', room.unread_count, 'last_message', room.last_message,
        'last_message_ts', to_char(room.last_message_ts at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
$$;

-- Puts a user into a room, and says so in the log. Again is no change. What was said before is not unread.
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
        perform tell(of_tenant, format('t%s:u:%s', of_tenant, of_user), 'room_joined', json_build_object(
            'room_id', of_room,
            'room', (select room_json(room) from room_views room where room.tenant_id = of_tenant
                         and room.hub_user_id = of_user and room.matrix_room_id = of_room))::text);
    end if;
end $$;

-- Takes a user out of a room, and says so in the log. Again is no change.
create or replace function remove_member(of_tenant bigint, of_room text, of_user text) returns void
language plpgsql as $$
declare
    seen room_views;
begin
    perform from feed_head for update;
    select * into seen from room_views room
    where room.tenant_id = of_tenant and room.hub_user_id = of_user and room.matrix_room_id = of_room;
    delete from room_members where tenant_id = of_tenant and matrix_room_id = of_room and hub_user_id = of_user;
    if found then
        perform tell(of_tenant, format('t%s:u:%s', of_tenant, of_user), 'room_left', json_build_object(
            'room_id', of_room,
            'room', case when seen.matrix_room_id is not null then room_json(seen) end)::text);
    end if;
end $$;

-- Everything that was said in the room is read; says so to the user's other devices. Nothing comes back if they are no
-- member.
create function mark_read(of_tenant bigint, of_room text, of_user text) returns table (changed boolean)
language plpgsql as $$
begin
    if not exists (select from room_members member
                   where member.tenant_id = of_tenant and member.hub_user_id = of_user
                     and member.matrix_room_id = of_room) then
        return;
    end if;
    if exists (select from room_views room where room.tenant_id = of_tenant and room.hub_user_id = of_user
                   and room.matrix_room_id = of_room and room.unread_count = 0) then
        return query select false;
        return;
    end if;
    perform from feed_head for update;
    update room_members member set read_count = room.message_count
    from rooms room
    where room.tenant_id = of_tenant and room.matrix_room_id = of_room and member.tenant_id = of_tenant
      and member.hub_user_id = of_user and member.matrix_room_id = of_room;
    perform tell(of_tenant, format('t%s:u:%s', of_tenant, of_user), 'unread',
                 json_build_object('room_id', of_room, 'unread_count', 0)::text);
    return query select true;
end $$;

-- Stores the room of a key with its first members. The first room stays: it comes back, and nothing else is stored.
create function settle_room(of_tenant bigint, of_kind text, of_key text, of_room text, of_name text, of_topic text,
                            of_creator text, of_entity_type text, of_entity_id text, of_first text, of_second text,
                            with_members text[]) returns text
language plpgsql as $$
declare
    settled text;
begin
    -- The log's lock always comes first.
    perform from feed_head for update;
    insert into rooms as room (tenant_id, kind, key, matrix_room_id, name, topic, created_by, entity_type, entity_id,
                               first_user, second_user)
    values (of_tenant, of_kind, of_key, of_room, of_name, of_topic, of_creator, of_entity_type, of_entity_id, of_first,
            of_second)
    on conflict (tenant_id, kind, key) do update
        set matrix_room_id = excluded.matrix_room_id, name = excluded.name, topic = excluded.topic,
            created_by = excluded.created_by, entity_type = excluded.entity_type, entity_id = excluded.entity_id,
            first_user = excluded.first_user, second_user = excluded.second_user
        where room.matrix_room_id is null;
    if found then
        perform add_member(of_tenant, of_room, member.id) from unnest(with_members) as member (id);
        return of_room;
    end if;
    select matrix_room_id into settled from rooms
    where tenant_id = of_tenant and kind = of_kind and key = of_key;
    return settled;
end $$;

-- Who is out of a room here, and is still to leave it on the homeserver.
create table departures (
    hub_user_id    text not null references users,
    matrix_room_id text not null,
    due            timestamptz not null default now(),
    lease_until    timestamptz not null default '-infinity',
    attempts       integer not null default 0,
    primary key (hub_user_id, matrix_room_id)
);
create index departures_due on departures (due);

-- Takes a user out of a room, here at once and on the homeserver as soon as it can be done.
create function depart(of_tenant bigint, of_room text, of_user text) returns void
language plpgsql as $$
begin
    perform remove_member(of_tenant, of_room, of_user);
    insert into departures (hub_user_id, matrix_room_id) values (of_user, of_room)
    on conflict (hub_user_id, matrix_room_id) do update set due = now(), attempts = 0;
    perform pg_notify('work', '');
end $$;

-- As before; and who comes from another tenant leaves all its rooms.
create or replace function sign_in(of_user text, of_tenant bigint, of_localpart text, of_name text, of_role text,
                                   of_search_name text, of_search_id text, of_dm_lane text)
returns setof users
language plpgsql as $$
declare
    before users;
begin
    select * into before from users where hub_user_id = of_user;
    if found and before.tenant_id = of_tenant and before.display_name = of_name and before.role = of_role then
        return next before;
        return;
    end if;
    -- With this lock no notification can be held for a user who is just coming in.
    perform from feed_head for update;
    insert into users (hub_user_id, tenant_id, localpart, display_name, role, search_name, search_id)
    values (of_user, of_tenant, of_localpart, of_name, of_role, of_search_name, of_search_id)
    on conflict (hub_user_id) do nothing;
    if found then
        before := null;
    else
        select * into before from users where hub_user_id = of_user for update;
        if before.tenant_id <> of_tenant then
            perform depart(member.tenant_id, member.matrix_room_id, of_user)
            from (select tenant_id, matrix_room_id from room_members
                  where hub_user_id = of_user and tenant_id <> of_tenant order by matrix_room_id) member;
        end if;
        update users
        set tenant_id = of_tenant, display_name = of_name, role = of_role, search_name = of_search_name,
            account_due = case when before.tenant_id = of_tenant and before.display_name = of_name
                               then account_due else now() end
        where hub_user_id = of_user;
    end if;
    if before.tenant_id is distinct from of_tenant then
        update outbox_lanes set due = now(), attempts = 0, version = version + 1 where name = of_dm_lane;
    end if;
    perform pg_notify('work', '');
    return query select * from users where hub_user_id = of_user;
end $$;

-- The passwords of those who may use other Matrix clients, and whose devices are still to be logged out.
create table external_access (
    hub_user_id text primary key references users,
    -- Grows with each change, so that who works with an older state notices.
    generation  bigint not null default 1,
    -- Sealed by the service; null while there is none.
    key_id      text,
    password    bytea,
    -- Whether the homeserver knows this password.
    applied     boolean not null default false,
    -- When the devices are to be logged out and the password made void; null if that is done, or never was necessary.
    revoke_due  timestamptz,
    lease_until timestamptz not null default '-infinity',
    attempts    integer not null default 0
);
create index external_access_due on external_access (revoke_due) where revoke_due is not null;
