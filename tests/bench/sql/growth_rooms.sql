with room as (
    insert into rooms (tenant_id, kind, key, matrix_room_id)
    select 1, 'entity', 'grown:' || n, '!grown' || n || ':bench.local' from generate_series($1::bigint, $2::bigint) n
)
insert into outbox_queues (name) select 'grown queue ' || n from generate_series($1::bigint, $2::bigint) n
