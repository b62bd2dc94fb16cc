-- Appends one event to the event log, in the transaction of the change that it reports. A writer that takes
-- other locks as well locks `feed_head` first; otherwise two writers could deadlock.
--
-- An event without `p_payload` has its fields in columns, and its reader builds the payload from them.

drop function if exists append_event(
    bigint, text, text, text, text, text, boolean, bigint, bigint, text, room_snapshot);
drop function if exists append_event(
    bigint, text, text, text, text, text, boolean, bigint, bigint, text, room_snapshot, timestamptz);
drop function if exists append_user_event(bigint, text, text, text, text, bigint, text, room_snapshot);

create or replace function append_event(
    p_tenant bigint, p_audience text, p_kind text, p_room text, p_payload text, p_about text default null,
    p_is_redaction boolean default false, p_notification bigint default null, p_unread_count bigint default null,
    p_role text default null, p_snapshot room_snapshot default null,
    p_notification_created_at timestamptz default null, p_mention_count bigint default null) returns void
language plpgsql as $$
declare
    next bigint;
begin
    update feed_head set position = position + 1 returning position into next;
    insert into events (position, tenant_id, audience, kind, notification_id, notification_created_at, room_id,
                        payload, unread_count, mention_count, role, room, about, is_redaction)
    values (next, p_tenant, p_audience, p_kind, p_notification, p_notification_created_at, p_room, p_payload,
            p_unread_count, p_mention_count, p_role, p_snapshot, p_about, p_is_redaction);
    -- A reader that has read up to the position does not query the log.
    perform pg_notify('feed', next::text);
end $$;

-- Appends an event for one user.
create or replace function append_user_event(
    p_tenant bigint, p_user text, p_kind text, p_room text default null, p_about text default null,
    p_unread_count bigint default null, p_role text default null, p_snapshot room_snapshot default null,
    p_mention_count bigint default null) returns void
language plpgsql as $$
begin
    perform append_event(p_tenant, format('t%s:u:%s', p_tenant, p_user), p_kind, p_room, null, p_about,
                         p_unread_count => p_unread_count, p_role => p_role, p_snapshot => p_snapshot,
                         p_mention_count => p_mention_count);
end $$;

-- Appends the `unread` event of a room for one user, whose read position has moved.
create or replace function append_unread(p_tenant bigint, p_user text, p_room text, p_count bigint) returns void
language plpgsql as $$
begin
    perform append_user_event(
        p_tenant, p_user, 'unread', p_room, p_unread_count => p_count,
        p_mention_count => case when p_count = 0 then 0 else coalesce((
            select mention_count from room_views
            where tenant_id = p_tenant and hub_user_id = p_user and matrix_room_id = p_room), 0) end);
end $$;
