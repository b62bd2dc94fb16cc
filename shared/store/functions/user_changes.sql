-- Counts the changes of a user, and notifies all processes of them, so that they drop what they have cached.

create or replace function raise_user_version() returns trigger
language plpgsql as $$
begin
    new.version := old.version + 1;
    return new;
end $$;

create or replace trigger users_versioned before update on users for each row
    when ((old.tenant_id, old.hub_name, old.display_name, old.is_renamed, old.role, old.localpart,
           old.external_client_enabled, old.account_state)
          is distinct from
          (new.tenant_id, new.hub_name, new.display_name, new.is_renamed, new.role, new.localpart,
           new.external_client_enabled, new.account_state))
    execute function raise_user_version();

create or replace function notify_user_change() returns trigger
language plpgsql as $$
begin
    perform pg_notify('identities', old.localpart || ' ' || old.hub_user_id);
    return null;
end $$;

create or replace trigger users_changed after update on users for each row
    when ((old.version, old.logged_out_at) is distinct from (new.version, new.logged_out_at))
    execute function notify_user_change();
create or replace trigger users_deleted after delete on users for each row execute function notify_user_change();
