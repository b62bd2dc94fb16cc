-- What we keep of conversations: each event once, the last word of each room, edits, and who may read which file.

alter table rooms add column last_event_id text;

-- Which file was posted where: the members of that room may read it.
create table media (
    tenant_id      bigint not null,
    event_id       text not null,
    matrix_room_id text not null,
    mxc            text not null,
    filename       text not null,
    mimetype       text,
    primary key (tenant_id, event_id)
);
create index media_by_file on media (tenant_id, mxc);

-- The last edit of a message, by each who edited it: only its writer's counts, and history knows who that is.
create table message_edits (
    tenant_id bigint not null,
    event_id  text not null,
    sender    text not null,
    edited_at timestamptz not null,
    content   jsonb not null,
    primary key (tenant_id, event_id, sender)
);
create index message_edits_by_event on message_edits (event_id);

-- How far the homeserver's own stream has been read, and who reads it.
create table reconciliation (
    singleton   boolean primary key default true check (singleton),
    position    text,
    worker      text not null default '',
    lease_until timestamptz not null default '-infinity',
    moved_at    timestamptz not null default now()
);
insert into reconciliation default values;

-- Takes events of rooms in, in their order, each once: whoever comes first with an event does all that follows from it,
-- and tells the members. Returns how many were new.
create function take_in(batch jsonb) returns bigint
language plpgsql as $$
declare
    one   record;
    count bigint;
    added bigint := 0;
begin
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
        case one.fact
        when 'message' then
            update rooms
            set message_count = message_count + 1,
                last_message = case when last_message_ts > one.at then last_message else one.summary end,
                last_event_id = case when last_message_ts > one.at then last_event_id else one.event_id end,
                last_message_ts = greatest(last_message_ts, one.at)
            where tenant_id = one.tenant_id and matrix_room_id = one.room
            returning message_count into count;
            -- Who writes has read what stands before.
            update room_members set read_count = count
            where tenant_id = one.tenant_id and hub_user_id = one.hub_user and matrix_room_id = one.room;
            if one.mxc is not null then
                insert into media (tenant_id, event_id, matrix_room_id, mxc, filename, mimetype)
                values (one.tenant_id, one.event_id, one.room, one.mxc, one.filename, one.mimetype);
            end if;
        when 'edited' then
            insert into message_edits as known (tenant_id, event_id, sender, edited_at, content)
            values (one.tenant_id, one.of, one.sender, one.at, one.content)
            on conflict (tenant_id, event_id, sender)
            do update set edited_at = excluded.edited_at, content = excluded.content
            where known.edited_at <= excluded.edited_at;
            update rooms set last_message = one.summary
            where tenant_id = one.tenant_id and matrix_room_id = one.room and last_event_id = one.of;
        when 'redacted' then
            delete from media where tenant_id = one.tenant_id and event_id = one.of and matrix_room_id = one.room;
            delete from message_edits where tenant_id = one.tenant_id and event_id = one.of;
            update rooms set last_message = null
            where tenant_id = one.tenant_id and matrix_room_id = one.room and last_event_id = one.of;
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
        if one.payload is not null then
            perform tell(one.tenant_id, format('t%s:r:%s', one.tenant_id, one.room), one.kind, one.payload);
        end if;
    end loop;
    return added;
end $$;
