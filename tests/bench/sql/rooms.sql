-- A room of fifty users, a chat of two, and the rooms of two hundred machines.
insert into rooms (tenant_id, kind, key, matrix_room_id, name)
values (1, 'custom', 'team', '!team:bench.local', 'Team');
insert into rooms (tenant_id, kind, key, matrix_room_id, first_user, second_user)
values (1, 'dm', 'load-0/load-1', '!chat:bench.local', 'load-0', 'load-1');
insert into rooms (tenant_id, kind, key, matrix_room_id, name, entity_type, entity_id)
select 1, 'entity', 'machine/' || n, '!machine' || n || ':bench.local', 'machine ' || n, 'machine', n::text
from generate_series(1, 200) n;
insert into room_members (tenant_id, hub_user_id, matrix_room_id)
select 1, 'load-' || n, '!team:bench.local' from generate_series(0, 49) n
union all
select 1, 'load-' || n, '!chat:bench.local' from generate_series(0, 1) n;
