-- Accounts that are due are claimed tenant by tenant.
create index users_due_by_tenant on users (tenant_id, account_due) where account_due is not null;
