//! Sending messages, reading history, and files.

use messenger_tests::{
    Client, Stack, TestUser,
    client::{TestResponse, fetch},
    encoded, is_skipped_on_deployment, is_skipped_on_lambda,
};
use reqwest::{Method, StatusCode, multipart};
use serde_json::{Value, json};

/// Provisions a user. Returns the general room of their tenant.
async fn provisioned(stack: &Stack, user: &TestUser) -> String {
    user.wait_until_provisioned().await;
    let bot = stack.matrix(&user.id).await;
    bot.rooms(1).await.remove(0)
}

async fn send(user: &TestUser, room: &str, body: &str) -> TestResponse {
    user.post("/api/v1/messages/send", &json!({ "room_id": room, "body": body })).await
}

async fn history(user: &TestUser, room: &str, query: &str) -> TestResponse {
    user.get(&format!("/api/v1/messages/history/{}{query}", encoded(room))).await
}

async fn upload(user: &TestUser, room: &str, name: &str, bytes: Vec<u8>) -> TestResponse {
    let file =
        multipart::Part::bytes(bytes).file_name(name.to_owned()).mime_str("image/png").expect("a type");
    let form = multipart::Form::new().text("room_id", room.to_owned()).part("file", file);
    fetch(user.request(Method::POST, "/api/v1/messages/upload").multipart(form)).await
}

fn png() -> Vec<u8> {
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".iter().copied().chain((0..2000u32).map(|n| n.to_le_bytes()[0])).collect()
}

#[tokio::test]
async fn a_message_is_once_in_the_history_and_on_every_members_stream() {
    let stack = Stack::start().await;
    let client = stack.client();
    let (anna, bert) = (client.user("anna"), client.user("bert"));
    let room = provisioned(&stack, &anna).await;
    bert.wait_until_provisioned().await;
    let mut stream = bert.stream(None).await;
    let sent = send(&anna, &room, "Größe 42 ✓").await;
    assert_eq!(sent.status, StatusCode::OK, "{}", sent.body);
    assert_eq!((&sent.body["body"], &sent.body["msg_type"]), (&json!("Größe 42 ✓"), &json!("m.text")));
    assert_eq!(sent.body["sender_display_name"], "Name von anna");
    let event = stream.next_of("new_message").await;
    for field in ["event_id", "room_id", "sender", "sender_display_name", "body", "msg_type", "timestamp"] {
        assert_eq!(event[field], sent.body[field], "{field}");
    }
    // A repeated `txn_id` returns the first message.
    let call = json!({ "room_id": room, "body": "einmal", "txn_id": "t1", "msg_type": "m.notice" });
    let first = anna.post("/api/v1/messages/send", &call).await;
    let again = anna.post("/api/v1/messages/send", &call).await;
    assert_eq!(first.body["event_id"], again.body["event_id"]);
    assert_eq!(stream.next_of("new_message").await["event_id"], first.body["event_id"]);
    // The `txn_id` of another user is another transaction.
    let other = bert.post("/api/v1/messages/send", &call).await;
    assert_ne!(first.body["event_id"], other.body["event_id"]);
    assert_eq!(stream.next_of("new_message").await["event_id"], other.body["event_id"]);
    let later = stream.within(std::time::Duration::from_secs(2)).await;
    assert!(later.iter().all(|event| event.kind() != "new_message"), "{later:?}");

    let page = history(&bert, &room, "").await.body;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(3), "{page}");
    assert_eq!(page["messages"][2]["timestamp"], sent.body["timestamp"]);
    assert_eq!(page["has_more"], false);
}

#[tokio::test]
async fn history_is_read_page_by_page_and_states_whether_there_is_more() {
    let stack = Stack::start().await;
    let client = stack.client();
    let anna = client.user("anna");
    let room = provisioned(&stack, &anna).await;
    let matrix = stack.matrix("anna").await;
    matrix.send_text(&room, "the first").await;
    // Many events that are no messages follow.
    for _ in 0..130 {
        matrix.send(&room, "com.example.noise", json!({})).await;
    }
    for n in 0..4 {
        send(&anna, &room, &format!("message {n}")).await;
    }
    let first = history(&anna, &room, "?limit=3").await.body;
    let texts = |page: &Value| -> Vec<String> {
        let messages = page["messages"].as_array().expect("messages").iter();
        messages.map(|message| message["body"].as_str().expect("a body").to_owned()).collect()
    };
    assert_eq!(texts(&first), ["message 3", "message 2", "message 1"]);
    assert_eq!(first["has_more"], true);
    // Messages that arrive meanwhile do not move the pages.
    send(&anna, &room, "meanwhile").await;
    let from = first["end_token"].as_str().expect("a token");
    let second = history(&anna, &room, &format!("?limit=1&from_token={}", encoded(from))).await.body;
    assert_eq!(texts(&second), ["message 0"]);
    assert_eq!(second["has_more"], true, "an older message precedes many other events");
    let from = second["end_token"].as_str().expect("a token");
    let third = history(&anna, &room, &format!("?limit=1&from_token={}", encoded(from))).await.body;
    assert_eq!(texts(&third), ["the first"]);
    assert_eq!((&third["has_more"], &third["end_token"]), (&json!(false), &Value::Null));
    let wrong = history(&anna, &room, "?limit=201&from_token=x").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_non_member_gets_404_for_messages_and_files() {
    let stack = Stack::start().await;
    let client = stack.client();
    let anna = client.user("anna");
    let room = provisioned(&stack, &anna).await;
    let file = upload(&anna, &room, "x.png", png()).await;
    let url = file.body["media_path"].as_str().expect("a file").to_owned();
    assert_eq!(anna.get(&url).await.status, StatusCode::OK);
    let foreign = client.user_of_tenant("fritz", 2);
    foreign.wait_until_provisioned().await;
    let invalid = ["!a/b:c", "!a?b", "!a#b", "!a%2Fb", "!nowhere", "..", "x"];
    for user in [&foreign, &client.user_of_tenant("gast", 3)] {
        assert_eq!(history(user, &room, "").await.status, StatusCode::NOT_FOUND);
        assert_eq!(send(user, &room, "x").await.status, StatusCode::NOT_FOUND);
        assert_eq!(upload(user, &room, "x.png", png()).await.status, StatusCode::NOT_FOUND);
        assert_eq!(user.get(&url).await.status, StatusCode::NOT_FOUND);
    }
    for id in invalid {
        assert_eq!(history(&anna, id, "").await.status, StatusCode::NOT_FOUND, "{id}");
        assert_eq!(send(&anna, id, "x").await.status, StatusCode::NOT_FOUND, "{id}");
    }
    for path in ["nowhere/x", "..%2f..%2fx/y", "hub.local/..", "a/b%2Fc"] {
        let response = anna.get(&format!("/api/v1/messages/media/{path}")).await;
        assert_eq!(response.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(client.get(&url).await.status, StatusCode::UNAUTHORIZED);
    let viewer = client.user_with_role("viola", "viewer", 1);
    viewer.wait_until_provisioned().await;
    assert_eq!(history(&viewer, &room, "").await.status, StatusCode::OK);
    for refused in [send(&viewer, &room, "x").await, upload(&viewer, &room, "x.png", png()).await] {
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (StatusCode::FORBIDDEN, &json!("read_only_role"))
        );
    }
    let wrong = anna.post("/api/v1/messages/send", &json!({ "body": "", "msg_type": "m.image" })).await;
    assert_eq!(wrong.body["errors"].as_array().map(Vec::len), Some(3), "{}", wrong.body);
    let long = send(&anna, &room, &"🏭".repeat(20_000)).await;
    assert_eq!(long.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", long.body);
}

#[tokio::test]
async fn files_are_downloaded_safely_and_in_ranges() {
    let stack = Stack::start().await;
    let client = stack.client();
    let anna = client.user("anna");
    let room = provisioned(&stack, &anna).await;
    let names = [
        ("../../x", "x"),
        ("..\\..\\y.png", "y.png"),
        ("Übersicht Ä.pdf", "Übersicht Ä.pdf"),
        ("a\u{202e}gpj.exe", "agpj.exe"),
    ];
    for (name, cleaned) in names {
        let response = upload(&anna, &room, name, png()).await;
        assert_eq!(
            (response.status, &response.body["filename"]),
            (StatusCode::OK, &json!(cleaned)),
            "{}",
            response.body
        );
        assert_eq!(
            (&response.body["msg_type"], &response.body["mimetype"]),
            (&json!("m.image"), &json!("image/png"))
        );
        assert_eq!(response.body["file_size"], png().len());
    }
    let long = upload(&anna, &room, &format!("{}.pdf", "ä".repeat(300)), png()).await;
    let name = long.body["filename"].as_str().expect("a name");
    assert!(name.len() <= 255 && name.rsplit_once('.').map(|(_, last)| last) == Some("pdf"), "{name}");

    let image = upload(&anna, &room, "bild.png", png()).await.body;
    let url = image["media_path"].as_str().expect("a file").to_owned();
    let get = |range: &'static str| {
        let request = anna.request(Method::GET, &url);
        let request = if range.is_empty() { request } else { request.header("Range", range) };
        async move { request.send().await.expect("a response") }
    };
    let whole = get("").await;
    assert_eq!(whole.headers()["content-type"], "image/png");
    assert!(whole.headers()["content-disposition"].to_str().expect("text").starts_with("inline; filename"));
    assert_eq!(whole.headers()["x-content-type-options"], "nosniff");
    assert!(whole.headers()["content-security-policy"].to_str().expect("text").starts_with("sandbox"));
    assert!(whole.headers()["cache-control"].to_str().expect("text").starts_with("private"));
    assert_eq!(whole.bytes().await.expect("bytes"), png());
    for (range, from, to) in
        [("bytes=0-0", 0, 1), ("bytes=10-99", 10, 100), ("bytes=2000-", 2000, png().len())]
    {
        let part = get(range).await;
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.headers()["content-range"], format!("bytes {from}-{}/{}", to - 1, png().len()));
        assert_eq!(part.bytes().await.expect("bytes"), png()[from..to]);
    }
    let beyond = get("bytes=1000000-").await;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers()["content-range"], format!("bytes */{}", png().len()));

    for program in [
        &b"<!DOCTYPE html><html><script>alert(1)</script></html>"[..],
        b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>",
        b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>",
    ] {
        let response = upload(&anna, &room, "harmless.png", program.to_vec()).await.body;
        assert_eq!(response["msg_type"], "m.file", "{response}");
        let url = response["media_path"].as_str().expect("a file");
        let shown = anna.request(Method::GET, url).send().await.expect("a response");
        assert_eq!(shown.headers()["content-type"], "application/octet-stream");
        let disposition = shown.headers()["content-disposition"].to_str().expect("text").to_owned();
        assert!(disposition.starts_with("attachment"), "{disposition}");
    }
}

#[tokio::test]
async fn the_parts_of_a_form_may_come_in_any_order() {
    let stack = Stack::start().await;
    let client = stack.client();
    let anna = client.user("anna");
    let room = provisioned(&stack, &anna).await;
    let file = || multipart::Part::bytes(png()).file_name("x.png");
    let post = |path: String, form: multipart::Form| fetch(anna.request(Method::POST, &path).multipart(form));
    let path = "/api/v1/messages/upload";
    let late = multipart::Form::new().part("file", file()).text("room_id", room.clone());
    let uploaded = post(path.to_owned(), late).await;
    assert_eq!(
        (uploaded.status, &uploaded.body["filename"]),
        (StatusCode::OK, &json!("x.png")),
        "{}",
        uploaded.body
    );
    let address = uploaded.body["file_url"].as_str().and_then(|url| url.strip_prefix("mxc://"));
    let media = format!("/api/v1/messages/media/{}", address.expect("an address on the homeserver"));
    assert_eq!(uploaded.body["media_path"], media.as_str());
    let shown = client.get(&format!("{media}?token={}", anna.token)).await;
    assert_eq!(
        shown.status,
        StatusCode::OK,
        "clients build the media path from `file_url` and append their token"
    );
    let twice =
        multipart::Form::new().text("room_id", room.clone()).part("file", file()).part("file", file());
    let refused = post(path.to_owned(), twice).await;
    assert_eq!(
        (refused.status, &refused.body["errors"][0]["pointer"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("/file"))
    );
    let caption = multipart::Form::new().part("file", file()).text("body", "Die Fräse");
    let uploaded = post(format!("{path}?room_id={}", encoded(&room)), caption).await;
    assert_eq!((&uploaded.body["body"], &uploaded.body["filename"]), (&json!("Die Fräse"), &json!("x.png")));
    let nothing = post(path.to_owned(), multipart::Form::new().text("room_id", room.clone())).await;
    assert_eq!(nothing.body["errors"][0]["pointer"], "/file", "{}", nothing.body);
}

#[tokio::test]
async fn a_file_of_the_maximum_size_is_streamed_and_one_byte_more_is_refused() {
    if is_skipped_on_deployment("it measures the router's memory") {
        return;
    }
    if is_skipped_on_lambda("it measures the router's memory") {
        return;
    }
    let mut stack = Stack::start().await;
    let client = stack.client();
    let anna = client.user("anna");
    let room = provisioned(&stack, &anna).await;
    let warm = upload(&anna, &room, "warm.png", png()).await;
    assert_eq!(warm.status, StatusCode::OK);
    let most = 20_000_000;
    let pid = stack.router().process().expect("a router").id();
    let before = peak(pid);
    let large = upload(&anna, &room, "large.bin", vec![7; most]).await;
    assert_eq!(large.status, StatusCode::OK, "{}", large.body);
    let grown = peak(pid) - before;
    println!("20 MB up: the router's peak grew by {grown} KiB from {before} KiB");
    let url = large.body["media_path"].as_str().expect("a file");
    let down = anna.request(Method::GET, url).send().await.expect("a response").bytes().await.expect("bytes");
    assert_eq!(down.len(), most);
    let grown_down = peak(pid) - before;
    println!("and down again: {grown_down} KiB");
    assert!(grown < 2048, "{grown} KiB");
    let over = upload(&anna, &room, "over.bin", vec![7; most + 1]).await;
    assert_eq!((over.status, &over.body["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("body_too_large")));
    assert_eq!(over.headers["connection"], "close");
    far_too_large(&client, &anna, &room).await;
}

/// An upload whose `Content-Length` is too large is refused before its body is sent.
async fn far_too_large(client: &Client, anna: &TestUser, room: &str) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let host = client.address();
    let mut socket = tokio::net::TcpStream::connect(&host).await.expect("a connection");
    let head = format!(
        "POST /api/v1/messages/upload?room_id={} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000000\r\n\r\n",
        encoded(room),
        anna.token,
    );
    socket.write_all(head.as_bytes()).await.expect("written");
    let mut response = String::new();
    socket.read_to_string(&mut response).await.expect("a response, and the end");
    assert!(response.starts_with("HTTP/1.1 413"), "{response}");
    assert!(response.to_lowercase().contains("connection: close"), "{response}");
}

/// Returns the largest resident size that a process ever had, in KiB.
fn peak(pid: i32) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|size| size.parse().ok()).expect("a number")
}
