-- Redactions empty the event log, receipts of other Matrix clients move read positions, and rooms sort by arrival.

-- ---------------------------------------------------------------------------------------------- rooms by arrival

-- The order in which rooms had their last message, or were made. No clock decides it: neither a sender's nor ours.
create sequence room_activity;
alter table rooms add column activity bigint;
update rooms set activity = ranked.place
from (select tenant_id, kind, key,
             row_number() over (order by coalesce(last_message_ts, created_at), created_at) as place
      from rooms) ranked
where (rooms.tenant_id, rooms.kind, rooms.key) = (ranked.tenant_id, ranked.kind, ranked.key);
select setval('room_activity', (select coalesce(max(activity), 0) + 1 from rooms), false);
alter table rooms
    alter column activity set default nextval('room_activity'),
    alter column activity set not null;
alter sequence room_activity owned by rooms.activity;

-- As before; and by what they are sorted.
create or replace view room_views as
select member.tenant_id, member.hub_user_id, room.matrix_room_id, room.kind,
       case when room.kind = 'bot_dm' then 'dm' else room.kind end as room_type,
       case when room.kind = 'dm' then coalesce(partner.display_name, partner_id)
            else coalesce(room.name, nullif(concat_ws(' ', room.entity_type, room.entity_id), ''),
                          case room.kind when 'general' then 'Allgemein' else room.kind end)
       end as display_name,
       room.topic, room.entity_type, room.entity_id,
       greatest(room.message_count - member.read_count, 0) as unread_count,
       room.last_message, room.last_message_ts, room.created_at, room.activity
from room_members member
join rooms room on room.matrix_room_id = member.matrix_room_id and room.tenant_id = member.tenant_id
cross join lateral (
    select case when room.first_user = member.hub_user_id then room.second_user else room.first_user end as partner_id
) other
left join users partner on partner.hub_user_id = other.partner_id and partner.tenant_id = room.tenant_id;

-- ---------------------------------------------------------------------------------------------- redactions

alter table events
    -- The message, or the reaction, whose content the payload holds: a redaction finds it by this.
    add column about        text,
    -- Tells of a redaction: processes forget the frames about the same that they remember.
    add column is_redaction boolean not null default false;
update events set about = payload::jsonb ->> 'event_id', is_redaction = kind = 'message_redacted'
where kind in ('new_message', 'message_edited', 'message_redacted');
update events set about = payload::jsonb ->> 'reaction_event_id' where kind = 'reaction';
create index events_by_about on events (about) where about is not null;

-- Events that were redacted, so that what arrives after its redaction is not told any more.
create table redacted_events (
    event_id       text not null,
    matrix_room_id text not null,
    redacted_at    timestamptz not null default now(),
    primary key (event_id, matrix_room_id)
);
create index redacted_events_by_age on redacted_events (redacted_at);

-- Appends one event about a message or a reaction.
create function append_about(of_tenant bigint, to_audience text, of_kind text, with_payload text, of_event text,
                             tells_redaction boolean) returns void
language plpgsql as $$
declare
    next bigint;
begin
    update feed_head set position = position + 1 returning position into next;
    insert into events (position, tenant_id, audience, kind, payload, about, is_redaction)
    values (next, of_tenant, to_audience, of_kind, with_payload, of_event, tells_redaction);
    perform pg_notify('feed', next::text);
end $$;

-- The payload of an event without what somebody wrote: only the listed fields stay, so that a new one is never left by
-- mistake.
create function redacted_payload(of_kind text, payload jsonb) returns text
language sql immutable as $$
    select (coalesce(jsonb_object_agg(key, value) filter (where key in (
                'room_id', 'event_id', 'edit_event_id', 'reaction_event_id', 'sender', 'sender_display_name',
                'timestamp')), '{}')
            || case of_kind when 'reaction' then '{"key": "", "redacted": true}'
                            else '{"body": "", "msg_type": "m.text", "redacted": true}' end::jsonb)::text
    from jsonb_each(payload)
$$;

-- Empties what the log holds of a redacted event of a room: a message with all its edits, a reaction, or one edit
-- (`of_event`) of a message. Positions and types stay, so that cursors stay good. What rooms showed as their last message
-- is emptied as well.
create function empty_events(of_tenant bigint, of_room text, of_message text, of_event text) returns void
language sql
set plan_cache_mode = force_generic_plan
as $$
    update events
    set payload = case when kind in ('room_joined', 'room_left')
                       then jsonb_set(payload::jsonb, '{room,last_message}', 'null')::text
                       else redacted_payload(kind, payload::jsonb) end
    where about = of_message and tenant_id = of_tenant and kind <> 'message_redacted'
      and case when kind in ('room_joined', 'room_left')
               then payload::jsonb ->> 'room_id' = of_room and payload::jsonb -> 'room' ->> 'last_message' is not null
               else audience = format('t%s:r:%s', of_tenant, of_room)
                    and (of_message = of_event or payload::jsonb ->> 'edit_event_id' = of_event) end
$$;

-- Empties redactions of before this migration, and the last messages in old joins and leaves, whose event is not known.
update events set payload = jsonb_set(payload::jsonb, '{room,last_message}', 'null')::text
where kind in ('room_joined', 'room_left') and payload::jsonb -> 'room' ->> 'last_message' is not null;
select empty_events(tenant_id, payload::jsonb ->> 'room_id', about, about) from events where kind = 'message_redacted';

-- As before; and a later redaction finds the last message that is told here.
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
    end if;
end $$;

-- As before; and a later redaction finds the last message that is told here.
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
        perform append_about(of_tenant, format('t%s:u:%s', of_tenant, of_user), 'room_left', json_build_object(
            'room_id', of_room,
            'room', case when seen.matrix_room_id is not null then room_json(seen) end)::text,
            (select last_event_id from rooms where tenant_id = of_tenant and matrix_room_id = of_room), false);
    end if;
end $$;

-- As before; and a redaction empties what the log holds of an event, or keeps it out if it has not arrived yet; and a
-- room's time of its last message is not moved into the future by a wrong clock.
create or replace function take_in(batch jsonb) returns bigint
language plpgsql
-- Planning anew for each call costs more than the call.
set plan_cache_mode = force_generic_plan
as $$
declare
    ids     text[];
    one     record;
    count   bigint;
    place   bigint;
    -- The message or reaction of which the event tells.
    message text;
    is_read boolean;
    added   bigint := 0;
begin
    -- What was told before is told again by reconciliation: that needs no lock and writes nothing.
    ids := array(select told ->> 'event_id' from jsonb_array_elements(batch) told);
    if (select count(*) from event_keys where key = any (ids)) = cardinality(ids) then
        return 0;
    end if;
    -- The log's lock always comes first: whoever takes it later could deadlock.
    perform from feed_head for update;
    for one in
        select * from jsonb_to_recordset(batch) as x (
            n integer, event_id text, tenant_id bigint, room text, at timestamptz, fact text, hub_user text,
            of text, sender text, content jsonb, summary text, mxc text, filename text, mimetype text,
            kind text, payload text)
        order by n
    loop
        insert into event_keys (key) values (one.event_id) on conflict do nothing;
        continue when not found;
        added := added + 1;
        -- It was redacted before it arrived, or what it edits was: nothing of it is stored or told.
        continue when one.fact in ('message', 'edited', 'reaction') and exists (
            select from redacted_events redacted
            where redacted.event_id in (one.event_id, one.of) and redacted.matrix_room_id = one.room);
        is_read := false;
        message := one.event_id;
        case one.fact
        when 'message' then
            -- The last one is who came last: clocks differ, and times are only shown. A time that is far ahead is none.
            update rooms
            set message_count = message_count + 1, last_message = one.summary, last_event_id = one.event_id,
                last_message_ts = greatest(
                    last_message_ts, case when one.at > now() + interval '1 day' then now() else one.at end),
                activity = nextval('room_activity')
            where tenant_id = one.tenant_id and matrix_room_id = one.room
            returning message_count into count;
            if found then
                insert into recent_messages (tenant_id, matrix_room_id, event_id, number, summary)
                values (one.tenant_id, one.room, one.event_id, count, one.summary)
                on conflict do nothing;
                -- Now and then, so that it costs nothing.
                if count % 50 = 0 then
                    delete from recent_messages
                    where tenant_id = one.tenant_id and matrix_room_id = one.room and number <= count - 50;
                end if;
            end if;
            -- Who writes has read what stands before.
            update room_members member set read_count = count
            from room_members before
            where member.tenant_id = one.tenant_id and member.hub_user_id = one.hub_user
              and member.matrix_room_id = one.room and before.tenant_id = one.tenant_id
              and before.hub_user_id = one.hub_user and before.matrix_room_id = one.room
            returning before.read_count + 1 < count into is_read;
        when 'edited' then
            message := one.of;
            insert into message_edits (tenant_id, event_id, sender, edited_at, content, edit_event_id, matrix_room_id,
                                       summary)
            values (one.tenant_id, one.of, one.sender, one.at, one.content, one.event_id, one.room, one.summary)
            on conflict do nothing;
            perform show_last(one.tenant_id, one.room);
        when 'redacted' then
            -- A message with all its edits, a reaction, or one edit.
            message := (select edit.event_id from message_edits edit
                        where edit.edit_event_id = one.of and edit.tenant_id = one.tenant_id
                          and coalesce(edit.matrix_room_id, one.room) = one.room);
            if message is null and one.kind = 'message_edited' then
                -- The message of this edit was redacted a moment ago: what it said before the edit is not told.
                one.payload := null;
            end if;
            message := coalesce(message, one.of);
            insert into redacted_events (event_id, matrix_room_id) values (one.of, one.room) on conflict do nothing;
            perform empty_events(one.tenant_id, one.room, message, one.of);
            delete from media
            where tenant_id = one.tenant_id and matrix_room_id = one.room and event_id in (
                select one.of union all select edit_event_id from message_edits where event_id = one.of);
            delete from message_edits
            where tenant_id = one.tenant_id and (event_id = one.of or edit_event_id = one.of)
              and coalesce(matrix_room_id, one.room) = one.room;
            -- Who has not read it has one less to read. What is older than the recent ones stays counted: whoever has
            -- that much unread reads the room from its end in any case.
            delete from recent_messages
            where tenant_id = one.tenant_id and matrix_room_id = one.room and event_id = one.of
            returning number into place;
            if place is not null then
                update recent_messages set number = number - 1
                where tenant_id = one.tenant_id and matrix_room_id = one.room and number > place;
                update rooms set message_count = message_count - 1
                where tenant_id = one.tenant_id and matrix_room_id = one.room;
                update room_members set read_count = read_count - 1
                where tenant_id = one.tenant_id and matrix_room_id = one.room and read_count >= place;
            end if;
            perform show_last(one.tenant_id, one.room);
        when 'joined' then
            perform add_member(one.tenant_id, one.room, one.hub_user);
        when 'left' then
            perform remove_member(one.tenant_id, one.room, one.hub_user);
        when 'named' then
            -- A direct chat is called by its partner.
            update rooms set name = nullif(one.summary, '')
            where tenant_id = one.tenant_id and matrix_room_id = one.room and kind not in ('dm', 'bot_dm');
        when 'topic' then
            update rooms set topic = nullif(one.summary, '')
            where tenant_id = one.tenant_id and matrix_room_id = one.room;
        else
            -- Only told.
        end case;
        if one.mxc is not null then
            -- A file that an edit brought goes with the edit.
            insert into media (tenant_id, event_id, matrix_room_id, mxc, filename, mimetype)
            values (one.tenant_id, one.event_id, one.room, one.mxc, one.filename, one.mimetype)
            on conflict do nothing;
        end if;
        if one.payload is not null then
            perform append_about(one.tenant_id, format('t%s:r:%s', one.tenant_id, one.room), one.kind, one.payload,
                                 message, one.fact = 'redacted');
        end if;
        if is_read then
            perform tell(one.tenant_id, format('t%s:u:%s', one.tenant_id, one.hub_user), 'unread',
                         json_build_object('room_id', one.room, 'unread_count', 0)::text);
        end if;
    end loop;
    return added;
end $$;

-- ---------------------------------------------------------------------------------------------- receipts

-- Moves read positions forward to the latest message of `events` that is known, and tells the user's devices. Returns the
-- receipts (`n`) that name no message that is known, of members who have something unread. What changes nothing takes no
-- lock.
create function read_up_to(batch jsonb) returns setof integer
language plpgsql
set plan_cache_mode = force_generic_plan
as $$
declare
    one       record;
    is_locked boolean := false;
    left_over bigint;
begin
    for one in
        select receipt.n, member.tenant_id, member.hub_user_id, member.matrix_room_id, member.read_count, receipt.ids,
               (select max(recent.number) from recent_messages recent
                where recent.tenant_id = room.tenant_id and recent.matrix_room_id = room.matrix_room_id
                  and recent.event_id = any (receipt.ids)) as place
        from (select x.n, x.room, x.localpart, array(select jsonb_array_elements_text(x.events)) as ids
              from jsonb_to_recordset(batch) as x (n integer, room text, localpart text, events jsonb)) receipt
        join rooms room on room.matrix_room_id = receipt.room
        join users on users.localpart = receipt.localpart
        join room_members member on member.tenant_id = room.tenant_id and member.hub_user_id = users.hub_user_id
                                and member.matrix_room_id = room.matrix_room_id
        where member.read_count < room.message_count
        order by receipt.n
    loop
        if one.place is null then
            return next one.n;
        elsif one.place > one.read_count then
            -- The log's lock always comes first; under it no redaction moves the positions.
            if not is_locked then
                perform from feed_head for update;
                is_locked := true;
            end if;
            update room_members member set read_count = known.place
            from (select max(recent.number) as place from recent_messages recent
                  where recent.tenant_id = one.tenant_id and recent.matrix_room_id = one.matrix_room_id
                    and recent.event_id = any (one.ids)) known
            where member.tenant_id = one.tenant_id and member.hub_user_id = one.hub_user_id
              and member.matrix_room_id = one.matrix_room_id and member.read_count < known.place
            returning (select room.message_count from rooms room
                       where room.tenant_id = one.tenant_id and room.matrix_room_id = one.matrix_room_id)
                      - member.read_count
            into left_over;
            if found then
                perform tell(one.tenant_id, format('t%s:u:%s', one.tenant_id, one.hub_user_id), 'unread',
                             json_build_object('room_id', one.matrix_room_id,
                                               'unread_count', greatest(left_over, 0))::text);
            end if;
        end if;
    end loop;
end $$;

-- ---------------------------------------------------------------------------------------------- push rules

-- Accounts that other Matrix clients use get the push rule of urgent notifications once; all others get it with their
-- password.
update users set account_due = now() where external_client_enabled and account_due is null;
