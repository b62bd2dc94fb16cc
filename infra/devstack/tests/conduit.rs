//! Starts and stops Conduit, if `CONDUIT_BIN` names a program.
use messenger_devstack::conduit::{Conduit, Options};

#[tokio::test]
#[ignore = "needs a built Conduit: CONDUIT_BIN=… cargo test -p messenger-devstack --test conduit -- --ignored"]
async fn conduit_starts_and_has_its_users_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let mut conduit = Conduit::start(Options::new(directory.path())).await.unwrap();
    let url = format!("{}/_matrix/client/v3/register", conduit.url());
    let body = r#"{"username":"mueller","password":"pw","auth":{"type":"m.login.dummy"}}"#;
    let client = reqwest::Client::new();
    let response =
        client.post(url).body(body).header("content-type", "application/json").send().await.unwrap();
    assert_eq!(response.status(), 200);
    conduit.kill();
    conduit.start_again().await.unwrap();
    conduit.login("mueller", "pw").await.unwrap();
    conduit.stop().await;
    assert!(conduit.login("mueller", "pw").await.is_err());
}

#[tokio::test]
#[ignore = "needs a built Conduit: CONDUIT_BIN=… cargo test -p messenger-devstack --test conduit -- --ignored"]
async fn conduit_encrypts_a_new_chat_only_if_encryption_is_allowed() {
    for allow_encryption in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { allow_encryption, ..Options::new(directory.path()) };
        let conduit = Conduit::start(options).await.unwrap();
        let client = reqwest::Client::new();
        let call = |request: reqwest::RequestBuilder| async move {
            let response = request.header("content-type", "application/json").send().await.unwrap();
            (response.status().as_u16(), response.json::<serde_json::Value>().await.unwrap())
        };
        let base = format!("{}/_matrix/client/v3", conduit.url());
        let body = r#"{"username":"mueller","password":"pw","auth":{"type":"m.login.dummy"}}"#;
        let (_, user) = call(client.post(format!("{base}/register")).body(body)).await;
        let token = user["access_token"].as_str().unwrap();
        // Element sends the same request.
        let body = r#"{"preset":"trusted_private_chat","is_direct":true,"initial_state":[
            {"type":"m.room.encryption","state_key":"","content":{"algorithm":"m.megolm.v1.aes-sha2"}}]}"#;
        let (status, created) =
            call(client.post(format!("{base}/createRoom")).bearer_auth(token).body(body)).await;
        assert_eq!(status, 200, "{created}");
        let room = created["room_id"].as_str().unwrap().replace('!', "%21");
        let (_, state) = call(client.get(format!("{base}/rooms/{room}/state")).bearer_auth(token)).await;
        let is_encrypted = state.as_array().unwrap().iter().any(|event| event["type"] == "m.room.encryption");
        assert_eq!(is_encrypted, allow_encryption, "{state}");
    }
}
