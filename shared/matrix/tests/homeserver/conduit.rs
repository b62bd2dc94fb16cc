//! What only Conduit needs: it is registered by a message to its admin room.

use anyhow::{Context, Result};
use messenger_core::port::Homeserver;
use messenger_matrix::{AdminAccount, Appservice, HomeserverConfig, Registration, bootstrap};

use crate::stand::{Stand, room};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Conduit: CONDUIT_BIN=… cargo test -p messenger-matrix -- --ignored"]
async fn a_changed_registration_is_taken_over() -> Result<()> {
    let stand = Stand::conduit().await?;
    let id = stand.appservice.create_room(&room("kept")).await?;
    let elsewhere = Registration { url: Some("http://127.0.0.1:9".to_owned()), ..stand.registration.clone() };
    bootstrap(&stand.config, &elsewhere, &stand.admin).await?;

    let as_token = "as_another_0123456789".to_owned();
    let registration = Registration { as_token: as_token.clone(), ..stand.registration.clone() };
    let config = HomeserverConfig { as_token, ..stand.config.clone() };
    bootstrap(&config, &registration, &stand.admin).await?;
    assert_eq!(Appservice::new(config)?.create_room(&room("kept")).await?, id);
    assert!(stand.appservice.create_room(&room("kept")).await.is_err(), "the old token is still known");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Conduit: CONDUIT_BIN=… cargo test -p messenger-matrix -- --ignored"]
async fn a_lost_password_is_no_obstacle_while_the_token_is_known() -> Result<()> {
    let stand = Stand::conduit().await?;
    let forgetful = AdminAccount { password: "another".to_owned(), ..stand.admin.clone() };
    let registration = Registration { hs_token: "hs_another".to_owned(), ..stand.registration.clone() };
    bootstrap(&stand.config, &registration, &forgetful).await?;

    let as_token = "as_another_0123456789".to_owned();
    let config = HomeserverConfig { as_token: as_token.clone(), ..stand.config.clone() };
    let registration = Registration { as_token, ..registration };
    let error = bootstrap(&config, &registration, &forgetful).await.err().context("it needs the password")?;
    let shown = format!("{:#}", anyhow::Error::from(error));
    assert!(shown.contains("@hubadmin:hub.local exists with another password"), "{shown}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Conduit: CONDUIT_BIN=… cargo test -p messenger-matrix -- --ignored"]
async fn somebody_who_is_no_administrator_is_told_so() -> Result<()> {
    let stand = Stand::conduit().await?;
    let second = AdminAccount { localpart: "second".to_owned(), password: "pw".to_owned() };
    let registration = Registration { hs_token: "hs_another".to_owned(), ..stand.registration.clone() };
    let error =
        bootstrap(&stand.config, &registration, &second).await.err().context("a second administrator")?;
    let shown = format!("{:#}", anyhow::Error::from(error));
    assert!(shown.contains("@second:hub.local is no administrator"), "{shown}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Conduit: CONDUIT_BIN=… cargo test -p messenger-matrix -- --ignored"]
async fn the_admin_room_is_told_once_and_keeps_no_tokens() -> Result<()> {
    let stand = Stand::conduit().await?;
    stand.bootstrap().await?;
    let token = stand.server.login(&stand.admin.localpart, &stand.admin.password).await?;
    let admin = crate::client::Client::new(stand.server.url(), &token)?;
    let rooms = admin.joined_rooms().await?;
    let texts = admin.texts(&rooms[0].replace('!', "%21")).await?.join("\n");
    assert_eq!(texts.matches("Appservice registered with ID: messenger.").count(), 1, "{texts}");
    assert!(
        !texts.contains(&stand.config.as_token) && !texts.contains(&stand.registration.hs_token),
        "{texts}"
    );
    Ok(())
}
