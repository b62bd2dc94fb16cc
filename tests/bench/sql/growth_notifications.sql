insert into notifications (tenant_id, token, source_app, event_type, title, target_type, priority, queue, status,
                           created_at)
select n % 2 + 1, 'legacy', 'bench', 'machine.alarm', 'stored before', 'general', 'normal',
       'bench queue ' || n % 1000, 'sent',
       -- Four in a second: ten million are those of a month. Times are in the order of the ids.
       now() - (10000000 - n) * interval '0.25 seconds'
from generate_series($1::bigint, $2::bigint) n
