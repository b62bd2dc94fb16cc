//! Passwords: they let in from other clients, and leave ours alone.

use anyhow::{Context, Result};
use futures::future::join_all;
use messenger_core::port::{ExternalAccounts, Homeserver};

use crate::{
    client::Client,
    stand::{Stand, room, user},
};

async fn lets_in(stand: &Stand, password: &str) -> Option<Client> {
    let token = stand.server.login("anna", password).await.ok()?;
    Client::new(stand.server.url(), &token).ok()
}

pub(crate) async fn a_password_lets_in_until_it_is_another(stand: Stand) -> Result<()> {
    let (anna, passwords) = (user("anna"), stand.passwords());
    stand.appservice.ensure_user(&anna, "Anna").await?;
    assert!(lets_in(&stand, "first password").await.is_none());
    passwords.set_password(&anna, "first password").await?;
    let client = lets_in(&stand, "first password").await.context("the password works")?;
    client.get("/account/whoami").await?;
    passwords.set_password(&anna, "second \"password\" ü").await?;
    assert!(lets_in(&stand, "first password").await.is_none());
    assert!(client.get("/account/whoami").await.is_err(), "the other client is logged out");
    assert!(lets_in(&stand, "second \"password\" ü").await.is_some());
    // Another process, for which the administrator exists already.
    stand.passwords().set_password(&anna, "third password").await?;
    assert!(lets_in(&stand, "third password").await.is_some());
    Ok(())
}

pub(crate) async fn a_revoked_user_is_out_everywhere_but_here(stand: Stand) -> Result<()> {
    let (anna, passwords) = (user("anna"), stand.passwords());
    stand.appservice.ensure_user(&anna, "Anna").await?;
    let id = stand.appservice.create_room(&room("before")).await?;
    stand.appservice.join(&id, &anna).await?;
    passwords.set_password(&anna, "a password").await?;
    let client = lets_in(&stand, "a password").await.context("the password works")?;
    for _ in 0..2 {
        passwords.revoke(&anna).await?;
        assert!(lets_in(&stand, "a password").await.is_none());
        assert!(client.get("/account/whoami").await.is_err(), "the other client is logged out");
    }
    let devices = stand.bot()?.acting_for(anna.as_str()).get("/devices").await?;
    let ids: Vec<_> =
        devices["devices"].as_array().into_iter().flatten().map(|device| &device["device_id"]).collect();
    assert_eq!(ids, ["HUB"]);
    let other = stand.appservice.create_room(&room("after")).await?;
    stand.appservice.join(&other, &anna).await?;
    passwords.set_password(&anna, "another password").await?;
    assert!(lets_in(&stand, "another password").await.is_some(), "it can be given back");
    Ok(())
}

pub(crate) async fn passwords_set_at_once_leave_one_that_works(stand: Stand) -> Result<()> {
    let (anna, passwords) = (user("anna"), stand.passwords());
    stand.appservice.ensure_user(&anna, "Anna").await?;
    let texts: Vec<_> = (0..3).map(|n| format!("password {n}")).collect();
    let set = join_all(texts.iter().map(|text| passwords.set_password(&anna, text))).await;
    assert!(set.iter().any(Result::is_ok), "{set:?}");
    passwords.set_password(&anna, "the last password").await?;
    assert!(lets_in(&stand, "the last password").await.is_some());
    Ok(())
}

pub(crate) async fn processes_at_once_set_the_passwords_of_their_users(stand: Stand) -> Result<()> {
    let people: Vec<_> = (0..4).map(|n| format!("person{n}")).collect();
    for name in &people {
        stand.appservice.ensure_user(&user(name), name).await?;
    }
    // The first one may still have to make the administrator.
    stand.passwords().set_password(&user(&people[0]), "before").await?;
    let processes: Vec<_> = people.iter().map(|_| stand.passwords()).collect();
    let set = people.iter().zip(&processes).map(async |(name, process)| {
        for n in 0..3 {
            process.set_password(&user(name), &format!("{name} {n}")).await?;
        }
        Ok::<_, messenger_core::Error>(())
    });
    join_all(set).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    for name in &people {
        stand.server.login(name, &format!("{name} 2")).await?;
    }
    Ok(())
}
