insert into users (hub_user_id, tenant_id, localpart, display_name, role, search_name, search_id, account_due)
select 'grown-' || n, 1, 'grown-' || n, 'Grown ' || n, 'user', 'grown ' || n, 'grown-' || n, null
from generate_series($1::bigint, $2::bigint) n
