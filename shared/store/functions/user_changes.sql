-- Notifies all processes of a changed user, so that they drop what they have cached of them.

create or replace function notify_user_change() returns trigger
language plpgsql as $$
begin
    perform pg_notify('identities', old.localpart || ' ' || old.hub_user_id);
    return null;
end $$;

create or replace trigger users_changed after update on users for each row
    when ((old.tenant_id, old.display_name, old.role, old.localpart, old.external_client_enabled, old.account_state)
          is distinct from
          (new.tenant_id, new.display_name, new.role, new.localpart, new.external_client_enabled, new.account_state))
    execute function notify_user_change();
create or replace trigger users_deleted after delete on users for each row execute function notify_user_change();
