-- Acts of administrators on users, each with its entry in the audit log. An act that changes nothing writes
-- none.
--
-- Each function returns no row if the tenant has no such user, and else the user as stored afterwards.
-- `is_expected` is false if the version is none of `p_expected`; the act has then changed nothing.

-- Gives a user another display name, or with null that of the Hub.
create or replace function admin_rename_user(
    p_tenant bigint, p_actor text, p_address text, p_request text, p_user text, p_expected bigint[],
    p_name text, p_search_name text) returns table (is_expected boolean, stored users)
language plpgsql as $$
declare
    before users;
begin
    select * into before from users where hub_user_id = p_user and tenant_id = p_tenant for update;
    if not found then
        return;
    end if;
    stored := before;
    is_expected := coalesce(before.version = any (p_expected), true);
    if is_expected then
        update users
        set display_name = coalesce(p_name, hub_name), search_name = coalesce(p_search_name, search_hub_name),
            is_renamed = p_name is not null,
            account_due = case when display_name = coalesce(p_name, hub_name) then account_due else now() end
        where hub_user_id = p_user
          and (display_name, is_renamed) is distinct from (coalesce(p_name, hub_name), p_name is not null)
        returning * into stored;
        if found then
            perform append_audit(
                p_tenant, p_actor, p_address, p_request, 'user.rename', p_user,
                jsonb_build_object('display_name', before.display_name, 'renamed', before.is_renamed),
                jsonb_build_object('display_name', stored.display_name, 'renamed', stored.is_renamed));
            perform pg_notify('work', '');
        else
            stored := before;
        end if;
    end if;
    return next;
end $$;

-- Enables or disables other Matrix clients. Disabling voids the password and makes the logout of all devices
-- due, each time. Enabling keeps a due logout: the next password cancels it, since it replaces the old one.
create or replace function admin_set_external_access(
    p_tenant bigint, p_actor text, p_address text, p_request text, p_user text, p_expected bigint[],
    p_enabled boolean) returns table (is_expected boolean, generation bigint, stored users)
language plpgsql as $$
declare
    before users;
begin
    select * into before from users where hub_user_id = p_user and tenant_id = p_tenant for update;
    if not found then
        return;
    end if;
    stored := before;
    is_expected := coalesce(before.version = any (p_expected), true);
    if is_expected then
        if before.external_client_enabled <> p_enabled then
            update users set external_client_enabled = p_enabled where hub_user_id = p_user returning * into stored;
            perform append_audit(
                p_tenant, p_actor, p_address, p_request, 'user.external_access', p_user,
                jsonb_build_object('external_client_enabled', before.external_client_enabled),
                jsonb_build_object('external_client_enabled', p_enabled));
        end if;
        if p_enabled then
            insert into external_access (hub_user_id) values (p_user) on conflict (hub_user_id) do nothing;
        else
            generation := void_password(p_user);
        end if;
    end if;
    return next;
end $$;

-- Logs a user out: ends their event streams, voids the tokens of this service that were issued until `p_at`,
-- and logs the devices of other Matrix clients out.
create or replace function admin_log_user_out(
    p_tenant bigint, p_actor text, p_address text, p_request text, p_user text, p_expected bigint[],
    p_at timestamptz) returns table (is_expected boolean, generation bigint, stored users)
language plpgsql as $$
declare
    before users;
begin
    -- The lock of the event log comes first.
    perform from feed_head for update;
    select * into before from users where hub_user_id = p_user and tenant_id = p_tenant for update;
    if not found then
        return;
    end if;
    stored := before;
    is_expected := coalesce(before.version = any (p_expected), true);
    if is_expected then
        update users set logged_out_at = greatest(logged_out_at, p_at) where hub_user_id = p_user
        returning * into stored;
        perform append_user_event(p_tenant, p_user, 'access_withdrawn');
        if before.external_client_enabled then
            generation := void_password(p_user);
        end if;
        perform append_audit(
            p_tenant, p_actor, p_address, p_request, 'user.logout', p_user,
            jsonb_build_object('logged_out_at', rfc3339(before.logged_out_at)),
            jsonb_build_object('logged_out_at', rfc3339(stored.logged_out_at)));
    end if;
    return next;
end $$;

-- Deletes the password for other Matrix clients, makes the logout of all devices due, and returns the new
-- generation. The lease of a logout that is being carried out stays, so that no other begins beside it.
create or replace function void_password(p_user text) returns bigint
language sql as $$
    insert into external_access as access (hub_user_id, revoke_due) values (p_user, now())
    on conflict (hub_user_id) do update
        set generation = access.generation + 1, key_id = null, password = null, applied = false, revoke_due = now(),
            attempts = 0
    returning generation
$$;
