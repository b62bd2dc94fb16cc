//! Files: bodies that are no text, in both directions.

use std::time::Duration;

use messenger_rapi::{Address, Gateway, Request};
use messenger_runtime::testing::bearer;
use serde_json::json;

use crate::{
    homeserver::{Homeserver, result, setup, timer},
    of_user,
};

const BOUNDARY: &str = "boundary-of-the-form";

/// Returns an upload of a file with each byte to a room.
fn upload(room: &str, file: &[u8]) -> Request {
    let part = |head: &str, body: &[u8]| {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n");
        [head.as_bytes(), body, b"\r\n"].concat()
    };
    let form = [
        part("name=\"room_id\"", room.as_bytes()),
        part("name=\"file\"; filename=\"plan.bin\"\r\nContent-Type: application/octet-stream", file),
        format!("--{BOUNDARY}--\r\n").into_bytes(),
    ];
    Request::new("POST", "/api/v1/messages/upload")
        .header("Authorization", bearer("mueller"))
        .header("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .body(form.concat())
}

#[tokio::test]
async fn each_gateway_passes_on_each_byte_of_a_file_and_its_path_follows_the_base_url() {
    let homeserver = Homeserver::start().await;
    let worker = homeserver.function("worker").await;
    result(&worker, setup()).await;
    let users = homeserver.function("users").await;
    let me = of_user("mueller", "/api/v1/users/me").event(&Gateway::http_api());
    assert_eq!(users.call(&me).await.expect("an answer").status, 200);
    // It provisions the account.
    result(&worker, timer().within(Duration::from_mins(1))).await;
    let rooms = homeserver.function("rooms").await;
    let create = Request::post("/api/v1/rooms", &json!({ "name": "Projekt", "invite_users": [] }))
        .header("Authorization", bearer("mueller"));
    let room = rooms.call(&create.event(&Gateway::http_api())).await.expect("an answer");
    assert_eq!(room.status, 201, "{}", room.text());
    let room = room.json().expect("JSON")["matrix_room_id"].as_str().expect("a room").to_owned();
    let messages = homeserver.function("messages").await;
    let file: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let stages = [Gateway::HttpApi(Address::stage("prod")), Gateway::rest_api("prod"), Gateway::FunctionUrl];
    for gateway in stages {
        let sent = messages.call(&upload(&room, &file).event(&gateway)).await.expect("an answer");
        assert_eq!(sent.status, 200, "{gateway:?}: {}", sent.text());
        let path = sent.json().expect("JSON")["media_path"].as_str().expect("a path").to_owned();
        let read = messages.call(&of_user("mueller", &path).event(&gateway)).await.expect("an answer");
        assert_eq!(read.status, 200, "{gateway:?}: {}", read.text());
        assert!(read.body == file, "{gateway:?}: {} bytes", read.body.len());
        let part = of_user("mueller", &path).header("Range", "bytes=255-257").event(&gateway);
        let part = messages.call(&part).await.expect("an answer");
        assert_eq!((part.status, part.body), (206, vec![255, 0, 1]), "{gateway:?}");
    }
}
