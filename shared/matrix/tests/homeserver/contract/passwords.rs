//! Passwords for other Matrix clients.

use anyhow::{Context, Result};
use futures::future::join_all;
use messenger_core::port::{Accounts, ExternalAccounts, MembershipCalls, RoomAdministration};

use crate::{
    client::Client,
    fixture::{Fixture, room, user},
};

/// Logs Anna in. Returns `None` if the password is wrong.
async fn log_in(fixture: &Fixture, password: &str) -> Option<Client> {
    let token = fixture.server.login("anna", password).await.ok()?;
    Client::new(fixture.server.url(), &token).ok()
}

pub(crate) async fn a_password_is_valid_until_the_next_one(fixture: Fixture) -> Result<()> {
    let (anna, passwords) = (user("anna"), fixture.passwords());
    fixture.appservice.ensure_user(&anna, "Anna").await?;
    assert!(log_in(&fixture, "first password").await.is_none());
    passwords.set_password(&anna, "first password").await?;
    let client = log_in(&fixture, "first password").await.context("the login")?;
    client.get("/account/whoami").await?;
    passwords.set_password(&anna, "second \"password\" ü").await?;
    assert!(log_in(&fixture, "first password").await.is_none());
    assert!(client.get("/account/whoami").await.is_err(), "the other client is logged out");
    assert!(log_in(&fixture, "second \"password\" ü").await.is_some());
    // For another process, the administrator exists already.
    fixture.passwords().set_password(&anna, "third password").await?;
    assert!(log_in(&fixture, "third password").await.is_some());
    Ok(())
}

pub(crate) async fn a_revocation_logs_out_all_devices_but_that_of_the_service(
    fixture: Fixture,
) -> Result<()> {
    let (anna, passwords) = (user("anna"), fixture.passwords());
    fixture.appservice.ensure_user(&anna, "Anna").await?;
    let id = fixture.appservice.create_room(&room("before")).await?;
    fixture.appservice.join(&id, &anna).await?;
    passwords.set_password(&anna, "a password").await?;
    let client = log_in(&fixture, "a password").await.context("the login")?;
    for _ in 0..2 {
        passwords.revoke(&anna).await?;
        assert!(log_in(&fixture, "a password").await.is_none());
        assert!(client.get("/account/whoami").await.is_err(), "the other client is logged out");
    }
    let devices = fixture.bot()?.acting_for(anna.as_str()).get("/devices").await?;
    let ids: Vec<_> =
        devices["devices"].as_array().into_iter().flatten().map(|device| &device["device_id"]).collect();
    assert_eq!(ids, ["HUB"]);
    let other = fixture.appservice.create_room(&room("after")).await?;
    fixture.appservice.join(&other, &anna).await?;
    passwords.set_password(&anna, "another password").await?;
    assert!(log_in(&fixture, "another password").await.is_some(), "access can be granted again");
    Ok(())
}

pub(crate) async fn concurrent_processes_set_the_password_of_one_user(fixture: Fixture) -> Result<()> {
    let anna = user("anna");
    fixture.appservice.ensure_user(&anna, "Anna").await?;
    // The first call may have to register the administrator.
    fixture.passwords().set_password(&anna, "before").await?;
    let processes: Vec<_> = (0..3).map(|n| (fixture.passwords(), format!("password {n}"))).collect();
    let set = join_all(processes.iter().map(|(process, text)| process.set_password(&anna, text))).await;
    assert!(set.iter().all(Result::is_ok), "{set:?}");
    fixture.passwords().set_password(&anna, "the last password").await?;
    assert!(log_in(&fixture, "the last password").await.is_some());
    Ok(())
}

pub(crate) async fn concurrent_processes_set_the_passwords_of_their_users(fixture: Fixture) -> Result<()> {
    let people: Vec<_> = (0..4).map(|n| format!("person{n}")).collect();
    for name in &people {
        fixture.appservice.ensure_user(&user(name), name).await?;
    }
    // The first call may have to register the administrator.
    fixture.passwords().set_password(&user(&people[0]), "before").await?;
    let processes: Vec<_> = people.iter().map(|_| fixture.passwords()).collect();
    let set = people.iter().zip(&processes).map(async |(name, process)| {
        for n in 0..3 {
            process.set_password(&user(name), &format!("{name} {n}")).await?;
        }
        Ok::<_, messenger_core::Error>(())
    });
    join_all(set).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    for name in &people {
        fixture.server.login(name, &format!("{name} 2")).await?;
    }
    Ok(())
}
