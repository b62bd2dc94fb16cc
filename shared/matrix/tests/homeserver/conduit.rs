//! Registration with Conduit in its admin room.

use anyhow::{Context, Result};
use messenger_core::port::RoomAdministration;
use messenger_matrix::{AdminAccount, Appservice, HomeserverConfig, Registration, bootstrap};

use crate::fixture::{Fixture, room};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Conduit: CONDUIT_BIN=… cargo test -p messenger-matrix -- --ignored"]
async fn a_changed_registration_is_registered_again() -> Result<()> {
    let fixture = Fixture::conduit().await?;
    let id = fixture.appservice.create_room(&room("kept")).await?;
    let elsewhere =
        Registration { url: Some("http://127.0.0.1:9".to_owned()), ..fixture.registration.clone() };
    bootstrap(&fixture.config, &elsewhere, &fixture.admin).await?;

    let as_token = "as_another_0123456789".to_owned();
    let registration = Registration { as_token: as_token.clone(), ..fixture.registration.clone() };
    let config = HomeserverConfig { as_token, ..fixture.config.clone() };
    bootstrap(&config, &registration, &fixture.admin).await?;
    assert_eq!(Appservice::new(config)?.create_room(&room("kept")).await?, id);
    assert!(
        fixture.appservice.create_room(&room("kept")).await.is_err(),
        "the old token is not known any more"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Conduit: CONDUIT_BIN=… cargo test -p messenger-matrix -- --ignored"]
async fn a_lost_password_is_not_needed_while_the_token_is_known() -> Result<()> {
    let fixture = Fixture::conduit().await?;
    let wrong_password = AdminAccount { password: "another".to_owned(), ..fixture.admin.clone() };
    let registration = Registration { hs_token: "hs_another".to_owned(), ..fixture.registration.clone() };
    bootstrap(&fixture.config, &registration, &wrong_password).await?;

    let as_token = "as_another_0123456789".to_owned();
    let config = HomeserverConfig { as_token: as_token.clone(), ..fixture.config.clone() };
    let registration = Registration { as_token, ..registration };
    let error = bootstrap(&config, &registration, &wrong_password)
        .await
        .err()
        .context("the bootstrap succeeded without the password")?;
    let shown = format!("{:#}", anyhow::Error::from(error));
    assert!(shown.contains("@hubadmin:hub.local exists with another password"), "{shown}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Conduit: CONDUIT_BIN=… cargo test -p messenger-matrix -- --ignored"]
async fn a_user_without_administrator_rights_gets_an_explanation() -> Result<()> {
    let fixture = Fixture::conduit().await?;
    let second = AdminAccount { localpart: "second".to_owned(), password: "pw".to_owned() };
    let registration = Registration { hs_token: "hs_another".to_owned(), ..fixture.registration.clone() };
    let error = bootstrap(&fixture.config, &registration, &second)
        .await
        .err()
        .context("the bootstrap succeeded without an administrator")?;
    let shown = format!("{:#}", anyhow::Error::from(error));
    assert!(shown.contains("@second:hub.local is not an administrator"), "{shown}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Conduit: CONDUIT_BIN=… cargo test -p messenger-matrix -- --ignored"]
async fn the_admin_room_gets_one_registration_and_keeps_no_tokens() -> Result<()> {
    let fixture = Fixture::conduit().await?;
    fixture.bootstrap().await?;
    let token = fixture.server.login(&fixture.admin.localpart, &fixture.admin.password).await?;
    let admin = crate::client::Client::new(fixture.server.url(), &token)?;
    let rooms = admin.joined_rooms().await?;
    let texts = admin.texts(&rooms[0].replace('!', "%21")).await?.join("\n");
    assert_eq!(texts.matches("Appservice registered with ID: messenger.").count(), 1, "{texts}");
    assert!(
        !texts.contains(&fixture.config.as_token) && !texts.contains(&fixture.registration.hs_token),
        "{texts}"
    );
    Ok(())
}
