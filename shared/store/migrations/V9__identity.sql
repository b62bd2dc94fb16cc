-- Identity: the newest token of the Hub counts, accounts of the homeserver are ours or not used, changes are signalled.

alter table users
    -- `iat` of the newest token of the Hub; null while no token has had one.
    add column token_issued_at timestamptz,
    -- State of the account that has the localpart: `pending` while it is not known, `ours`, or `taken` if somebody else
    -- made it.
    add column account_state text not null default 'pending' check (account_state in ('pending', 'ours', 'taken'));
-- Accounts of before are ours if they were used.
update users set account_state = 'ours'
where account_due is null or exists (select from room_members member where member.hub_user_id = users.hub_user_id);

-- Signals a change to all processes, which then drop what they remember of the user.
create function signal_identity() returns trigger
language plpgsql as $$
begin
    perform pg_notify('identities', old.localpart || ' ' || old.hub_user_id);
    return null;
end $$;
create trigger users_changed after update on users for each row
    when ((old.tenant_id, old.display_name, old.role, old.localpart, old.external_client_enabled, old.account_state)
          is distinct from
          (new.tenant_id, new.display_name, new.role, new.localpart, new.external_client_enabled, new.account_state))
    execute function signal_identity();
create trigger users_deleted after delete on users for each row execute function signal_identity();

-- Whether what is stored of a user counts more than a token: `Identity::outranks` says the same.
create function outranks(stored users, issued_at timestamptz, of_tenant bigint, of_role text, of_name text) returns boolean
language sql stable as $$
    select case
        when stored.token_issued_at is null then false
        when issued_at is null then true
        when stored.token_issued_at <> issued_at then stored.token_issued_at > issued_at
        else (array_position('{viewer,user,admin}'::text[], stored.role), stored.tenant_id, stored.display_name collate "C")
             <= (array_position('{viewer,user,admin}'::text[], of_role), of_tenant, of_name collate "C")
    end
$$;

drop function sign_in(text, bigint, text, text, text, text, text, text);

-- Stores what a token of the Hub says of its bearer, unless something newer is stored, and returns what is stored then.
-- New users, and users new to a tenant, get the messages that were held for them. A user who comes from another tenant leaves
-- all its rooms. The streams of a user who moves or has another role are told so, and end.
create function sign_in(of_user text, of_tenant bigint, of_localpart text, of_name text, of_role text,
                        of_search_name text, of_search_id text, of_dm_lane text, issued_at timestamptz)
returns setof users
language plpgsql as $$
declare
    before users;
begin
    select * into before from users where hub_user_id = of_user;
    if found and (before.account_state = 'ours' or before.localpart = of_localpart) then
        if outranks(before, issued_at, of_tenant, of_role, of_name) then
            return next before;
            return;
        end if;
        if (before.tenant_id, before.display_name, before.role) = (of_tenant, of_name, of_role) then
            if issued_at is null then
                return next before;
                return;
            end if;
            -- The same again by a newer token.
            update users set token_issued_at = issued_at
            where hub_user_id = of_user and (token_issued_at is null or token_issued_at < issued_at)
              and (tenant_id, display_name, role) = (of_tenant, of_name, of_role)
            returning * into before;
            if found then
                return next before;
                return;
            end if;
        end if;
    end if;
    -- With this lock no notification can be held for a user who is just coming in.
    perform from feed_head for update;
    insert into users (hub_user_id, tenant_id, localpart, display_name, role, search_name, search_id, token_issued_at)
    values (of_user, of_tenant, of_localpart, of_name, of_role, of_search_name, of_search_id, issued_at)
    on conflict (hub_user_id) do nothing;
    if found then
        before := null;
    else
        -- A user without an account of ours may get another one: names were reserved since.
        update users
        set localpart = of_localpart, account_state = 'pending', account_due = now(), account_attempts = 0
        where hub_user_id = of_user and account_state <> 'ours' and localpart <> of_localpart;
        if found then
            perform pg_notify('work', '');
        end if;
        select * into before from users where hub_user_id = of_user for update;
        if outranks(before, issued_at, of_tenant, of_role, of_name) then
            return next before;
            return;
        end if;
        if before.tenant_id <> of_tenant then
            perform depart(member.tenant_id, member.matrix_room_id, of_user)
            from (select tenant_id, matrix_room_id from room_members
                  where hub_user_id = of_user and tenant_id <> of_tenant order by matrix_room_id) member;
            perform tell(before.tenant_id, format('t%s:u:%s', before.tenant_id, of_user), 'access_withdrawn', '{}');
        elsif before.role <> of_role then
            perform tell(of_tenant, format('t%s:u:%s', of_tenant, of_user), 'role_changed',
                         json_build_object('role', of_role)::text);
        end if;
        update users
        set tenant_id = of_tenant, display_name = of_name, role = of_role, search_name = of_search_name,
            token_issued_at = issued_at,
            account_due = case when before.tenant_id = of_tenant and before.display_name = of_name
                               then account_due else now() end
        where hub_user_id = of_user;
    end if;
    if before.tenant_id is distinct from of_tenant then
        update outbox_lanes set due = now(), attempts = 0, version = version + 1 where name = of_dm_lane;
    end if;
    perform pg_notify('work', '');
    return query select * from users where hub_user_id = of_user;
end $$;

-- Puts a user into a room, and says so in the log. Again is no change. What was said before is not unread. A user who
-- moved to another tenant meanwhile is not added, and leaves the room on the homeserver.
create or replace function add_member(of_tenant bigint, of_room text, of_user text) returns void
language plpgsql as $$
begin
    if exists (select from room_members
               where tenant_id = of_tenant and hub_user_id = of_user and matrix_room_id = of_room) then
        return;
    end if;
    -- The log's lock always comes first: whoever takes it later could deadlock with a sign-in.
    perform from feed_head for update;
    insert into room_members (tenant_id, hub_user_id, matrix_room_id, read_count)
    select of_tenant, hub_user_id, of_room,
           coalesce((select message_count from rooms where tenant_id = of_tenant and matrix_room_id = of_room), 0)
    from users where hub_user_id = of_user and tenant_id = of_tenant
    on conflict do nothing;
    if found then
        perform tell(of_tenant, format('t%s:u:%s', of_tenant, of_user), 'room_joined', json_build_object(
            'room_id', of_room,
            'room', (select room_json(room) from room_views room where room.tenant_id = of_tenant
                         and room.hub_user_id = of_user and room.matrix_room_id = of_room))::text);
    elsif exists (select from users where hub_user_id = of_user and tenant_id <> of_tenant) then
        perform depart(of_tenant, of_room, of_user);
    end if;
end $$;
