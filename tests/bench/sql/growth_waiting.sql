-- Notifications that an outage leaves, in room queues of their own.
insert into notifications (tenant_id, token, source_app, event_type, title, target_type, priority, queue)
select 1, 'legacy', 'bench', 'machine.alarm', 'waits', 'general', 'normal', 'waiting queue ' || n % 1000
from generate_series($1::bigint, $2::bigint) n
