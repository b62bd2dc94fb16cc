-- Rooms that are encrypted, replaced, or keep their history from who comes later; power levels that are still to be corrected.

alter table rooms
    -- Messages in it are encrypted: nothing is sent into it any more.
    add column encrypted          boolean not null default false,
    -- The homeserver decides what a member may read of what was said before they came.
    add column history_restricted boolean not null default false,
    -- Whether the power levels are those of a new room, or cannot be changed.
    add column levels_corrected   boolean not null default true;
-- Rooms of before. Of those that were adopted it is not known what their history visibility was.
update rooms set levels_corrected = false, history_restricted = kind = 'custom' and key like '\%21%';
create index rooms_uncorrected on rooms (matrix_room_id) where not levels_corrected and matrix_room_id is not null;

-- Rooms that were replaced (`m.room.tombstone`).
create table former_rooms (
    matrix_room_id     text primary key,
    tenant_id          bigint not null,
    -- The room that replaced it directly, and the one that is in use now.
    replaced_by        text not null,
    current            text not null,
    history_restricted boolean not null
);
create index former_rooms_by_successor on former_rooms (replaced_by);
create index former_rooms_by_current on former_rooms (current);

-- What is redacted in a room that was replaced is not shown or counted in its successor any more.
create function redact_in_successor() returns trigger
language plpgsql as $$
declare
    successor former_rooms;
    place     bigint;
begin
    select * into successor from former_rooms where matrix_room_id = new.matrix_room_id;
    if not found then
        return null;
    end if;
    delete from recent_messages
    where tenant_id = successor.tenant_id and matrix_room_id = successor.current and event_id = new.event_id
    returning number into place;
    if found then
        update recent_messages set number = number - 1
        where tenant_id = successor.tenant_id and matrix_room_id = successor.current and number > place;
        update rooms set message_count = message_count - 1
        where tenant_id = successor.tenant_id and matrix_room_id = successor.current;
        update room_members set read_count = read_count - 1
        where tenant_id = successor.tenant_id and matrix_room_id = successor.current and read_count >= place;
        perform show_last(successor.tenant_id, successor.current);
    end if;
    return null;
end $$;
create trigger redacted_in_former_room after insert on redacted_events
    for each row execute function redact_in_successor();

-- Rooms that are none of ours, in which it was said that not everybody can read them.
create table warned_rooms (
    matrix_room_id text primary key,
    warned_at      timestamptz not null default now()
);

-- The last position that was given.
create function feed_position() returns bigint
language sql as $$
    select position from feed_head
$$;

-- When somebody came in: what was told before is not told to them, and in a restricted room not shown to them.
alter table room_members
    add column joined_position bigint not null default 0,
    alter column joined_at set default clock_timestamp();
alter table room_members alter column joined_position set default feed_position();
-- When it came to us. The homeserver's time is its sender's word.
alter table media add column came_at timestamptz not null default now();
alter table media alter column came_at set default clock_timestamp();
alter table recent_messages add column came_at timestamptz not null default now();
alter table recent_messages alter column came_at set default clock_timestamp();

-- As before; and whether it is encrypted, and without the last message if it came before the member into a restricted room.
create or replace view room_views as
select member.tenant_id, member.hub_user_id, room.matrix_room_id, room.kind,
       case when room.kind = 'bot_dm' then 'dm' else room.kind end as room_type,
       case when room.kind = 'dm' then coalesce(partner.display_name, partner_id)
            else coalesce(room.name, nullif(concat_ws(' ', room.entity_type, room.entity_id), ''),
                          case room.kind when 'general' then 'Allgemein' else room.kind end)
       end as display_name,
       room.topic, room.entity_type, room.entity_id,
       greatest(room.message_count - member.read_count, 0) as unread_count,
       case when last.may_see then room.last_message end as last_message,
       case when last.may_see then room.last_message_ts end as last_message_ts,
       room.created_at, room.activity, room.encrypted
from room_members member
join rooms room on room.matrix_room_id = member.matrix_room_id and room.tenant_id = member.tenant_id
cross join lateral (
    select case when room.first_user = member.hub_user_id then room.second_user else room.first_user end as partner_id
) other
cross join lateral (
    select case when room.history_restricted then exists (
        select from recent_messages recent
        where recent.tenant_id = room.tenant_id and recent.matrix_room_id = room.matrix_room_id
          and recent.event_id = room.last_event_id and recent.came_at > member.joined_at)
    else true end as may_see
) last
left join users partner on partner.hub_user_id = other.partner_id and partner.tenant_id = room.tenant_id;

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

-- The same with marks.
create function settle_room(of_tenant bigint, of_kind text, of_key text, of_room text, of_name text, of_topic text,
                            of_creator text, of_entity_type text, of_entity_id text, of_first text, of_second text,
                            with_members text[], is_encrypted boolean, is_restricted boolean) returns text
language plpgsql as $$
declare
    settled text;
begin
    settled := settle_room(of_tenant, of_kind, of_key, of_room, of_name, of_topic, of_creator, of_entity_type,
                           of_entity_id, of_first, of_second, with_members);
    if settled = of_room and (is_encrypted or is_restricted) then
        update rooms
        set encrypted = encrypted or is_encrypted, history_restricted = history_restricted or is_restricted
        where matrix_room_id = of_room;
    end if;
    return settled;
end $$;

-- Lets a room take the place of another: its key, its count of messages, and its members as far as they are named. What was
-- read stays read. Returns whether the old room was there to be replaced.
create function succeed_room(of_tenant bigint, old_room text, new_room text, with_members text[], is_encrypted boolean,
                             is_restricted boolean) returns boolean
language plpgsql as $$
declare
    -- An adopted room has its Matrix id as key: who came in later was never in it.
    restricted boolean;
    following  room_members[];
begin
    -- The log's lock always comes first.
    perform from feed_head for update;
    select history_restricted or (kind = 'custom' and key like '\%21%') into restricted
    from rooms where tenant_id = of_tenant and matrix_room_id = old_room for update;
    if not found then
        return false;
    end if;
    -- It may have been adopted on its own.
    delete from room_members where tenant_id = of_tenant and matrix_room_id = new_room;
    delete from recent_messages where tenant_id = of_tenant and matrix_room_id = new_room;
    delete from rooms where tenant_id = of_tenant and matrix_room_id = new_room;
    update former_rooms set current = new_room where current = old_room;
    insert into former_rooms (matrix_room_id, tenant_id, replaced_by, current, history_restricted)
    values (old_room, of_tenant, new_room, new_room, restricted);
    select coalesce(array_agg(member order by hub_user_id), '{}') into following
    from room_members member where tenant_id = of_tenant and matrix_room_id = old_room;
    perform remove_member(of_tenant, old_room, former.hub_user_id) from unnest(following) former;
    update rooms
    set matrix_room_id = new_room, encrypted = encrypted or is_encrypted,
        history_restricted = history_restricted or is_restricted, levels_corrected = true
    where tenant_id = of_tenant and matrix_room_id = old_room;
    update recent_messages set matrix_room_id = new_room
    where tenant_id = of_tenant and matrix_room_id = old_room;
    perform add_member(of_tenant, new_room, named.id) from unnest(with_members) as named (id);
    update room_members now_in
    set read_count = former.read_count, joined_at = former.joined_at
    from unnest(following) former
    where now_in.tenant_id = of_tenant and now_in.matrix_room_id = new_room
      and now_in.hub_user_id = former.hub_user_id;
    return true;
end $$;
