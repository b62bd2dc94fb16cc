insert into users (hub_user_id, tenant_id, localpart, hub_name, display_name, role, search_hub_name, search_name,
                   search_id, account_due)
select 'grown-' || n, 1, 'grown-' || n, 'Grown ' || n, 'Grown ' || n, 'user', 'grown ' || n, 'grown ' || n, 'grown-' || n, null
from generate_series($1::bigint, $2::bigint) n
