-- Events of two tenants in turn, as the service would have left them; the event log goes on after them.
with base as (select position - $1::bigint + 1 as position from feed_head for update),
stored as (
    insert into events (position, tenant_id, audience, kind, notification_id, payload)
    select base.position + n, n % 2 + 1, 't' || n % 2 + 1 || ':a:', 'notification', n,
           '{"source_app":"bench","event_type":"machine.alarm","title":"stored before"}'
    from base, generate_series($1::bigint, $2::bigint) n
)
update feed_head set position = position + $2::bigint - $1::bigint + 1
