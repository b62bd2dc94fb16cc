-- Edits that are taken back, and what a room's last message is when it is taken back.

-- Every edit, by its own id, so that one of them can go; which of them counts, history knows who knows the writer.
alter table message_edits
    add column edit_event_id  text,
    -- Null for edits of before.
    add column matrix_room_id text,
    add column summary        text;
-- What was an edit's id before is not known: it stays until its message goes.
update message_edits
set edit_event_id = format('before: %s %s %s', tenant_id, event_id, sender),
    summary = left(regexp_replace(coalesce(content->>'filename', content->>'body', ''), '[[:cntrl:]]', ' ', 'g'), 200);
alter table message_edits
    alter column edit_event_id set not null,
    alter column summary set not null,
    drop constraint message_edits_pkey,
    add primary key (edit_event_id);
drop index message_edits_by_event;
create index message_edits_by_event on message_edits (event_id, sender, edited_at);

-- The last fifty messages of each room and some more, as they were first said. `number` is what `rooms.message_count`
-- was with it; it closes up when one before it is taken back.
create table recent_messages (
    tenant_id      bigint not null,
    matrix_room_id text not null,
    event_id       text not null,
    number         bigint not null,
    summary        text not null,
    primary key (tenant_id, matrix_room_id, event_id)
);
create index recent_messages_by_number on recent_messages (tenant_id, matrix_room_id, number);
insert into recent_messages (tenant_id, matrix_room_id, event_id, number, summary)
select tenant_id, matrix_room_id, last_event_id, message_count, last_message
from rooms where matrix_room_id is not null and last_event_id is not null and last_message is not null;

-- The room's last message, as it reads now; none once all of the recent ones are taken back, whatever came before them.
create function show_last(of_tenant bigint, of_room text) returns void
language sql as $$
    update rooms
    set (last_event_id, last_message) = (
        select recent.event_id, coalesce(edit.summary, recent.summary)
        from recent_messages recent
        left join lateral (
            select summary from message_edits edit
            where edit.event_id = recent.event_id and edit.tenant_id = of_tenant
            order by edited_at desc, edit_event_id collate "C" desc limit 1
        ) edit on true
        where recent.tenant_id = of_tenant and recent.matrix_room_id = of_room
        order by recent.number desc limit 1)
    where tenant_id = of_tenant and matrix_room_id = of_room
$$;

-- As before; and what is taken back leaves what was there without it, the last message is the last one in the log, and
-- whoever has read a room by writing into it is told so on their other devices.
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
        is_read := false;
        case one.fact
        when 'message' then
            -- The last one is who came last: clocks differ, and times are only shown.
            update rooms
            set message_count = message_count + 1, last_message = one.summary, last_event_id = one.event_id,
                last_message_ts = greatest(last_message_ts, one.at)
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
            insert into message_edits (tenant_id, event_id, sender, edited_at, content, edit_event_id, matrix_room_id,
                                       summary)
            values (one.tenant_id, one.of, one.sender, one.at, one.content, one.event_id, one.room, one.summary)
            on conflict do nothing;
            perform show_last(one.tenant_id, one.room);
        when 'redacted' then
            -- A message with all its edits, or one edit.
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
            perform tell(one.tenant_id, format('t%s:r:%s', one.tenant_id, one.room), one.kind, one.payload);
        end if;
        if is_read then
            perform tell(one.tenant_id, format('t%s:u:%s', one.tenant_id, one.hub_user), 'unread',
                         json_build_object('room_id', one.room, 'unread_count', 0)::text);
        end if;
    end loop;
    return added;
end $$;
