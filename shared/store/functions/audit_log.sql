-- The audit log of administration: entries are appended, never changed or deleted.

-- Appends an entry, in the transaction of the act.
create or replace function append_audit(
    p_tenant bigint, p_actor text, p_address text, p_request text, p_action text, p_subject text,
    p_before jsonb, p_after jsonb) returns void
language sql as $$
    insert into audit_log (tenant_id, actor, address, request_id, action, subject, before, after)
    values (p_tenant, p_actor, p_address, p_request, p_action, p_subject, p_before, p_after)
$$;

-- Returns a time in the form of the interface: RFC 3339 in UTC with six fraction digits.
create or replace function rfc3339(p_at timestamptz) returns text
language sql stable as $$
    select to_char(p_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

create or replace function refuse_audit_change() returns trigger
language plpgsql as $$
begin
    raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
end $$;

create or replace trigger audit_log_is_append_only before update or delete or truncate on audit_log
    for each statement execute function refuse_audit_change();

-- The owner of the table has no right to change it either. A superuser has: the trigger refuses them as well.
revoke update, delete, truncate on audit_log from current_user;
