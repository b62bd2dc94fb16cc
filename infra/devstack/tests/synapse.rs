//! Synapse starts, has its users, and has its data after a restart.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use messenger_devstack::synapse::{Options, Synapse};
use tempfile::TempDir;

async fn start(directory: &TempDir) -> Synapse {
    let options = Options::new(directory.path().join("synapse"));
    Synapse::start(Options { server_name: "devstack.test".to_owned(), ..options }).await.unwrap()
}

async fn whoami(synapse: &Synapse, token: &str) -> (u16, String) {
    let url = format!("{}/_matrix/client/v3/account/whoami", synapse.url());
    let response = reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_user_logs_in_before_and_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let mut synapse = start(&directory).await;
    synapse.accounts().register_user("mueller", "first", false).await.unwrap();
    let token = synapse.login("mueller", "first").await.unwrap();
    synapse.kill();
    synapse.start_again().await.unwrap();
    let (status, body) = whoami(&synapse, &token).await;
    assert_eq!(status, 200);
    assert!(body.contains("@mueller:devstack.test"), "{body}");
    synapse.accounts().set_password("mueller", "second").await.unwrap();
    assert!(synapse.login("mueller", "first").await.is_err());
    synapse.login("mueller", "second").await.unwrap();
    assert_eq!(whoami(&synapse, &token).await.0, 200, "its devices stay logged in");
    synapse.stop().await;
    assert!(synapse.login("mueller", "second").await.is_err());
}

#[tokio::test]
async fn an_application_service_is_registered_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path());
    let registration = "id: probe\nurl: null\nas_token: as\nhs_token: hs\nsender_localpart: probe\nrate_limited: false\n\
                        namespaces: {users: [{exclusive: false, regex: '^@.*$'}]}\n";
    options.registrations.push(registration.to_owned());
    let synapse = Synapse::start(options).await.unwrap();
    let (status, body) = whoami(&synapse, "as").await;
    assert_eq!((status, body.contains("@probe:hub.local")), (200, true), "{body}");
}

#[tokio::test]
async fn the_error_of_a_failed_start_has_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path());
    options.registrations.push("id: broken\n".to_owned());
    let error = Synapse::start(options).await.unwrap_err();
    assert!(format!("{error:#}").contains("as_token"), "{error:#}");
}
