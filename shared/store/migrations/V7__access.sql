-- As before; and the streams of who comes from another tenant are told that they end.
create or replace function sign_in(of_user text, of_tenant bigint, of_localpart text, of_name text, of_role text,
                                   of_search_name text, of_search_id text, of_dm_lane text)
returns setof users
language plpgsql as $$
declare
    before users;
begin
    select * into before from users where hub_user_id = of_user;
    if found and before.tenant_id = of_tenant and before.display_name = of_name and before.role = of_role then
        return next before;
        return;
    end if;
    -- With this lock no notification can be held for a user who is just coming in.
    perform from feed_head for update;
    insert into users (hub_user_id, tenant_id, localpart, display_name, role, search_name, search_id)
    values (of_user, of_tenant, of_localpart, of_name, of_role, of_search_name, of_search_id)
    on conflict (hub_user_id) do nothing;
    if found then
        before := null;
    else
        select * into before from users where hub_user_id = of_user for update;
        if before.tenant_id <> of_tenant then
            perform depart(member.tenant_id, member.matrix_room_id, of_user)
            from (select tenant_id, matrix_room_id from room_members
                  where hub_user_id = of_user and tenant_id <> of_tenant order by matrix_room_id) member;
            perform tell(before.tenant_id, format('t%s:u:%s', before.tenant_id, of_user), 'access_withdrawn', '{}');
        end if;
        update users
        set tenant_id = of_tenant, display_name = of_name, role = of_role, search_name = of_search_name,
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
