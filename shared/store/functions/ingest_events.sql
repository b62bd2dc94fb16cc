-- Ingests room events of the homeserver, in their order, each once by its id: stores what follows from an
-- event, and appends its live event for the members. Returns the number of new events. Nothing is stored of
-- the events of closed rooms.

create or replace function ingest_events(batch jsonb) returns bigint
language plpgsql
-- Planning the statements for each call costs more than the call.
set plan_cache_mode = force_generic_plan
as $$
declare
    ids       text[];
    closed    text[];
    one       record;
    count     bigint;
    successor former_rooms;
    -- The message or reaction that the event is about.
    message   text;
    -- The sender of a message had unread messages before it.
    clears_unread boolean;
    has_files boolean := false;
    added     bigint := 0;
begin
    -- Reconciliation brings known events again: they need no lock, and nothing is written.
    ids := array(select event ->> 'event_id' from jsonb_array_elements(batch) event);
    if (select count(*) from event_keys where key = any (ids)) = cardinality(ids) then
        return 0;
    end if;
    -- The lock of the event log comes first.
    perform from feed_head for update;
    closed := array(
        select matrix_room_id from closed_rooms
        where matrix_room_id in (select event ->> 'room' from jsonb_array_elements(batch) event));
    for one in
        select * from jsonb_to_recordset(batch) as x (
            n integer, event_id text, tenant_id bigint, room text, at timestamptz, change text, hub_user text,
            of text, sender text, key text, content jsonb, summary text, mentioned text[],
            mentions_room boolean, text text, folded text, mxc text, filename text, mimetype text,
            kind text, payload text, alarm bigint, episode bigint, action text, source text, operator text,
            operator_name text, comment text)
        order by n
    loop
        continue when one.room = any (closed);
        has_files := has_files or one.mxc is not null;
        insert into event_keys (key) values (one.event_id) on conflict do nothing;
        continue when not found;
        added := added + 1;
        -- The event, or the message that it edits, was redacted before it arrived.
        continue when one.change in ('message', 'edited', 'reaction') and exists (
            select from redacted_events redacted
            where redacted.event_id in (one.event_id, one.of) and redacted.matrix_room_id = one.room);
        clears_unread := false;
        message := one.event_id;
        case one.change
        when 'message' then
            -- The last message is the last that arrived: clocks differ, and a timestamp far in the future is
            -- ignored.
            update rooms
            set message_count = message_count + 1, last_message = one.summary, last_event_id = one.event_id,
                last_message_ts = greatest(
                    last_message_ts, case when one.at > now() + interval '1 day' then now() else one.at end),
                activity = nextval('room_activity')
            where tenant_id = one.tenant_id and matrix_room_id = one.room
            returning message_count into count;
            if found then
                insert into recent_messages (tenant_id, matrix_room_id, event_id, number, summary, mentioned,
                                             mentions_room)
                values (one.tenant_id, one.room, one.event_id, count, one.summary, one.mentioned,
                        coalesce(one.mentions_room, false))
                on conflict do nothing;
                if one.text is not null then
                    insert into message_texts (tenant_id, matrix_room_id, event_id, sender, sent_at, text, folded)
                    values (one.tenant_id, one.room, one.event_id, one.sender, one.at, one.text, one.folded)
                    on conflict do nothing;
                end if;
                if count % 50 = 0 then
                    delete from recent_messages
                    where tenant_id = one.tenant_id and matrix_room_id = one.room and number <= count - 50
                      and (number <= count - 1000 or not (mentions_room or mentioned is not null));
                end if;
            end if;
            -- The sender has read everything before their own message.
            update room_members member set read_count = count, read_event_id = one.event_id
            from room_members before
            where member.tenant_id = one.tenant_id and member.hub_user_id = one.hub_user
              and member.matrix_room_id = one.room and before.tenant_id = one.tenant_id
              and before.hub_user_id = one.hub_user and before.matrix_room_id = one.room
            returning before.read_count + 1 < count into clears_unread;
        when 'edited' then
            message := one.of;
            insert into message_edits (edit_event_id, tenant_id, matrix_room_id, event_id, sender, edited_at, content,
                                       summary, text, folded)
            values (one.event_id, one.tenant_id, one.room, one.of, one.sender, one.at, one.content, one.summary,
                    one.text, one.folded)
            on conflict do nothing;
            perform refresh_last_message(one.tenant_id, one.room);
            perform refresh_message_text(one.tenant_id, one.room, one.of);
        when 'redacted', 'redacted_edit' then
            -- A message with all its edits, a reaction, or one edit.
            message := (select edit.event_id from message_edits edit
                        where edit.edit_event_id = one.of and edit.tenant_id = one.tenant_id
                          and edit.matrix_room_id = one.room);
            if message is null and one.change = 'redacted_edit' then
                -- The message of this edit was redacted a moment ago: the content before the edit is not
                -- published.
                one.payload := null;
            end if;
            message := coalesce(message, one.of);
            insert into redacted_events (event_id, matrix_room_id) values (one.of, one.room) on conflict do nothing;
            if found then
                -- The successor of a replaced room has taken over its messages.
                select * into successor from former_rooms where matrix_room_id = one.room;
                if found and remove_recent_message(successor.tenant_id, successor.current, one.of) then
                    perform refresh_last_message(successor.tenant_id, successor.current);
                end if;
            end if;
            perform redact_events(one.tenant_id, one.room, message, one.of);
            -- The next change of the alarm gets another root message.
            update alarm_episodes episode
            set root_event = null, root_room = null, root_revision = null, root = root + 1
            from alarm_messages root
            where root.event_id = one.of and episode.alarm_id = root.alarm_id and episode.number = root.episode
              and episode.root_event = one.of;
            delete from media
            where tenant_id = one.tenant_id and matrix_room_id = one.room and event_id in (
                select one.of union all select edit_event_id from message_edits where event_id = one.of);
            delete from reactions
            where matrix_room_id = one.room and (event_id = one.of or reaction_event_id = one.of);
            delete from message_edits
            where tenant_id = one.tenant_id and (event_id = one.of or edit_event_id = one.of)
              and matrix_room_id = one.room;
            delete from message_texts
            where tenant_id = one.tenant_id and event_id = one.of and matrix_room_id = one.room;
            perform refresh_message_text(one.tenant_id, one.room, message);
            perform remove_recent_message(one.tenant_id, one.room, one.of);
            perform refresh_last_message(one.tenant_id, one.room);
        when 'joined' then
            perform add_member(one.tenant_id, one.room, one.hub_user);
        when 'left' then
            perform remove_member(one.tenant_id, one.room, one.hub_user);
        when 'named' then
            -- A direct chat has the name of the other user.
            update rooms set name = nullif(one.summary, '')
            where tenant_id = one.tenant_id and matrix_room_id = one.room and kind not in ('dm', 'bot_dm');
        when 'topic' then
            update rooms set topic = nullif(one.summary, '')
            where tenant_id = one.tenant_id and matrix_room_id = one.room;
        when 'reaction' then
            if one.key is not null then
                insert into reactions (reaction_event_id, tenant_id, matrix_room_id, event_id, sender, key)
                values (one.event_id, one.tenant_id, one.room, one.of, one.sender, one.key)
                on conflict do nothing;
            end if;
        end case;
        if one.mxc is not null then
            -- A file that an edit brought goes with the edit.
            insert into media (tenant_id, event_id, matrix_room_id, sender, mxc, filename, mimetype)
            values (one.tenant_id, one.event_id, one.room, one.sender, one.mxc, one.filename, one.mimetype)
            on conflict do nothing;
        end if;
        if one.alarm is not null then
            perform ingest_alarm_part(one.tenant_id, one.room, one.event_id, one.alarm, one.episode, one.action,
                                      one.source, one.operator, one.operator_name, one.comment);
        end if;
        if one.payload is not null then
            perform append_event(one.tenant_id, format('t%s:r:%s', one.tenant_id, one.room), one.kind, one.room,
                                 one.payload, message, one.change in ('redacted', 'redacted_edit'));
        end if;
        if clears_unread then
            perform append_unread(one.tenant_id, one.hub_user, one.room, 0);
        end if;
    end loop;
    if has_files then
        -- Also of messages that were redacted before they arrived.
        insert into media_owners as known (mxc, owner, since)
        select distinct on (mxc) mxc, sender, at
        from jsonb_to_recordset(batch) as x (n integer, mxc text, sender text, at timestamptz)
        where mxc is not null
        order by mxc, at, n
        on conflict (mxc) do update set owner = excluded.owner, since = excluded.since
        where excluded.since < known.since;
    end if;
    return added;
end $$;
