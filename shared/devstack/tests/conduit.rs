//! A real Conduit, where somebody has built one.
use messenger_devstack::conduit::{Conduit, Options};

#[tokio::test]
#[ignore = "needs a built Conduit: CONDUIT_BIN=… cargo test -p messenger-devstack --test conduit -- --ignored"]
async fn it_starts_takes_users_and_has_them_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let mut conduit = Conduit::start(Options::new(directory.path())).await.unwrap();
    let url = format!("{}/_matrix/client/v3/register", conduit.url());
    let body = r#"{"username":"mueller","password":"pw","auth":{"type":"m.login.dummy"}}"#;
    let client = reqwest::Client::new();
    let answer = client.post(url).body(body).header("content-type", "application/json").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    conduit.kill();
    conduit.start_again().await.unwrap();
    conduit.login("mueller", "pw").await.unwrap();
    conduit.stop().await;
    assert!(conduit.login("mueller", "pw").await.is_err());
}
