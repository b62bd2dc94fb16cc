-- Stores the identity that a token of the Hub states, unless a newer one is stored.

-- Returns whether a stored identity takes precedence over that of a token. `Identity::outranks` has the same
-- rule.
create or replace function outranks(
    stored users, issued_at timestamptz, p_tenant bigint, p_role text, p_name text) returns boolean
language sql stable as $$
    select case
        when stored.token_issued_at is null then false
        when issued_at is null then true
        when stored.token_issued_at <> issued_at then stored.token_issued_at > issued_at
        else (array_position('{viewer,user,admin,super_admin}'::text[], stored.role), stored.tenant_id,
              stored.hub_name collate "C")
             <= (array_position('{viewer,user,admin,super_admin}'::text[], p_role), p_tenant, p_name collate "C")
    end
$$;

-- Returns the user as stored afterwards. A new user, and a user new to a tenant, gets the notifications that
-- were held for them (`p_dm_queue`). A user who moves from another tenant leaves all its rooms, and loses the
-- name that an administrator of it gave them. The streams of a user who moves or has another role end.
create or replace function sign_in(
    p_user text, p_tenant bigint, p_localpart text, p_name text, p_role text, p_search_name text, p_search_id text,
    p_dm_queue text, issued_at timestamptz) returns setof users
language plpgsql as $$
declare
    before     users;
    keeps_name boolean;
begin
    select * into before from users where hub_user_id = p_user;
    if found and (before.account_state = 'ours' or before.localpart = p_localpart) then
        if outranks(before, issued_at, p_tenant, p_role, p_name) then
            return next before;
            return;
        end if;
        if (before.tenant_id, before.hub_name, before.role) = (p_tenant, p_name, p_role) then
            if issued_at is null then
                return next before;
                return;
            end if;
            -- A newer token with the same identity.
            update users set token_issued_at = issued_at
            where hub_user_id = p_user and (token_issued_at is null or token_issued_at < issued_at)
              and (tenant_id, hub_name, role) = (p_tenant, p_name, p_role)
            returning * into before;
            if found then
                return next before;
                return;
            end if;
        end if;
    end if;
    -- While this lock is held no notification can be held for the user.
    perform from feed_head for update;
    insert into users (hub_user_id, tenant_id, localpart, hub_name, display_name, role, search_hub_name, search_name,
                       search_id, token_issued_at)
    values (p_user, p_tenant, p_localpart, p_name, p_name, p_role, p_search_name, p_search_name, p_search_id, issued_at)
    on conflict (hub_user_id) do nothing;
    if found then
        before := null;
    else
        -- A user without an account of ours may get another localpart, if the first one was reserved
        -- meanwhile.
        update users
        set localpart = p_localpart, account_state = 'pending', account_due = now(), account_attempts = 0
        where hub_user_id = p_user and account_state <> 'ours' and localpart <> p_localpart;
        if found then
            perform pg_notify('work', '');
        end if;
        select * into before from users where hub_user_id = p_user for update;
        if outranks(before, issued_at, p_tenant, p_role, p_name) then
            return next before;
            return;
        end if;
        if before.tenant_id <> p_tenant then
            perform leave_room(member.tenant_id, member.matrix_room_id, p_user)
            from (select tenant_id, matrix_room_id from room_members
                  where hub_user_id = p_user and tenant_id <> p_tenant order by matrix_room_id) member;
            perform append_user_event(before.tenant_id, p_user, 'access_withdrawn');
        elsif before.role <> p_role then
            perform append_user_event(p_tenant, p_user, 'role_changed', p_role => p_role);
        end if;
        keeps_name := before.is_renamed and before.tenant_id = p_tenant;
        update users
        set tenant_id = p_tenant, hub_name = p_name, role = p_role, search_hub_name = p_search_name,
            is_renamed = keeps_name,
            display_name = case when keeps_name then display_name else p_name end,
            search_name = case when keeps_name then search_name else p_search_name end,
            token_issued_at = issued_at,
            account_due = case when keeps_name or (before.tenant_id = p_tenant and before.display_name = p_name)
                               then account_due else now() end
        where hub_user_id = p_user;
    end if;
    if before.tenant_id is distinct from p_tenant then
        update outbox_queues set due = now(), attempts = 0, version = version + 1 where name = p_dm_queue;
        -- Notifications from before the user came count as read. Those that were held for them do not: they are
        -- announced later.
        insert into inbox_marks (tenant_id, hub_user_id, read_up_to)
        select p_tenant, p_user, coalesce(max(id), 0) from notifications
        on conflict (tenant_id, hub_user_id) do update
            set read_up_to = greatest(inbox_marks.read_up_to, excluded.read_up_to);
        -- Nor do those of alarms that nobody has shown the user yet.
        insert into inbox_exceptions (tenant_id, hub_user_id, notification_id, is_read)
        select p_tenant, p_user, id, false from notifications
        where tenant_id = p_tenant and target_user = p_user and announced and status = 'in_alarm'
        on conflict do nothing;
    end if;
    perform pg_notify('work', '');
    return query select * from users where hub_user_id = p_user;
end $$;
