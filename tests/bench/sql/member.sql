-- Rooms of the user $1 as the service would have left them, every third a direct chat, all with unread messages.
with created as (
    insert into rooms (tenant_id, kind, key, matrix_room_id, name, first_user, second_user, message_count,
                       last_message, last_message_ts)
    select 1, case when n % 3 = 0 then 'dm' else 'custom' end, $1 || '/' || n, '!' || $1 || n || ':bench.local',
           'Room ' || n, $1, 'load-' || n % 100, n, 'The last message, some forty letters long.',
           now() - n * interval '1 second'
    from generate_series(1, $2::bigint) n
    returning matrix_room_id
)
insert into room_members (tenant_id, hub_user_id, matrix_room_id) select 1, $1, matrix_room_id from created
