-- Who may read a file follows from the messages of its owner; times in events have six digits after the point.

-- The owner of each file: who uploaded it here, else the sender of the first message that names it, by the homeserver's
-- time. Kept when the message is redacted: nobody else becomes the owner of a file that was taken back.
create table media_owners (
    mxc      text primary key,
    owner    text not null,
    -- When the owner posted it first; -infinity for what is known of the upload itself.
    since    timestamptz not null
);

-- The sender of the message that names the file. Blank until `take_in_files` has stored it.
alter table media add column sender text not null default '';

-- What was posted before has the owner ''; so it stays readable where it was posted, and no later message adds a room.
insert into media_owners (mxc, owner, since)
select distinct mxc, '', '-infinity'::timestamptz from media;

-- Does the same as `take_in`, for batches with files. The sender of a message that names a file whose owner is not known
-- yet becomes its owner, and so does one who named it earlier.
create function take_in_files(batch jsonb) returns bigint
language plpgsql
set plan_cache_mode = force_generic_plan
as $$
declare
    added bigint := take_in(batch);
begin
    insert into media_owners as known (mxc, owner, since)
    select distinct on (mxc) mxc, sender, at
    from jsonb_to_recordset(batch) as x (n integer, mxc text, sender text, at timestamptz)
    where mxc is not null
    order by mxc, at, n
    on conflict (mxc) do update set owner = excluded.owner, since = excluded.since
    where excluded.since < known.since;
    update media set sender = x.sender
    from jsonb_to_recordset(batch) as x (tenant_id bigint, event_id text, mxc text, sender text)
    where x.mxc is not null and media.tenant_id = x.tenant_id and media.event_id = x.event_id;
    return added;
end $$;

-- As before, with microseconds in `last_message_ts`.
create or replace function room_json(room room_views) returns json
language sql stable as $$
    select json_build_object(
        'matrix_room_id', room.matrix_room_id, 'display_name', room.display_name, 'room_type', room.room_type,
        'topic', room.topic, 'entity_type', room.entity_type,
        'entity_id', case when room.entity_id ~ '^(0|-?[1-9][0-9]{0,17})$' then to_json(room.entity_id::bigint)
                          else to_json(room.entity_id) end,
        'unread_count', room.unread_count, 'last_message', room.last_message,
        'last_message_ts', to_char(room.last_message_ts at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
$$;
