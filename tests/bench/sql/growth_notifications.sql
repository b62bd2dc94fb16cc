insert into notifications (tenant_id, token, source_app, event_type, title, target_type, priority, queue, status)
select n % 2 + 1, 'legacy', 'bench', 'machine.alarm', 'stored before', 'general', 'normal',
       'bench queue ' || n % 1000, 'sent'
from generate_series($1::bigint, $2::bigint) n
