//! Each operation of the document with each kind of credentials: it refuses all but those that it declares.
//! A new operation is part of it as soon as it is described.

use messenger_tests::{
    Client, Plan, Stack,
    client::{in_seconds, service_token, status_and_code, token},
    encoded, is_skipped_on_deployment,
};
use reqwest::Method;
use serde_json::{Map, Value, json};

const DOCUMENT: &str = include_str!("../../../../docs/openapi.json");
const HS_TOKEN: &str = "the homeserver's token of this test";

/// A header or a parameter with credentials.
#[derive(Clone)]
enum Credentials {
    None,
    Bearer(String),
    InUrl(&'static str, String),
    Service(&'static str),
    /// The value of `Cookie`.
    Cookie(String),
}

/// An operation of the document.
struct Operation<'a> {
    method: Method,
    path: &'a str,
    description: &'a Value,
}

impl Operation<'_> {
    fn accepts(&self, scheme: &str) -> bool {
        let schemes = self.description["security"].as_array().expect("security");
        schemes.iter().any(|one| one.get(scheme).is_some())
    }

    /// Returns whether a viewer may not do it.
    fn writes(&self) -> bool {
        self.is_forbidden_with("read_only_role")
    }

    /// Returns whether it is for administrators.
    fn is_administrative(&self) -> bool {
        self.is_forbidden_with("admin_role_needed")
    }

    fn is_forbidden_with(&self, code: &str) -> bool {
        let refused = &self.description["responses"]["403"]["content"]["application/problem+json"]["schema"];
        refused["properties"]["code"]["enum"].as_array().is_some_and(|codes| codes.contains(&json!(code)))
    }

    /// Returns whether it is about one room, which its path or a field names.
    fn names_room(&self) -> bool {
        self.path.contains("{room_id}")
            || self.path.contains("/rooms/{id}")
            || !self.body()["properties"]["room_id"].is_null()
    }

    fn body(&self) -> &Value {
        &self.description["requestBody"]["content"]["application/json"]["schema"]
    }

    /// Returns the status and the code of the answer to these credentials.
    async fn ask(&self, client: &Client, credentials: &Credentials) -> (u16, String) {
        self.ask_about(("1", "1"), client, credentials).await
    }

    /// Asks about this room and message if the operation is about one.
    async fn ask_about(
        &self,
        (room, event): (&str, &str),
        client: &Client,
        credentials: &Credentials,
    ) -> (u16, String) {
        let path = self.path.replace("{server}", "hub.local").replace("{room_id}", &encoded(room));
        let path = path.replace("{event_id}", &encoded(event));
        let path = path.replace("/rooms/{id}", &format!("/rooms/{}", encoded(room))).replace("{id}", "1");
        let path: Vec<_> =
            path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
        let mut request = client.request(self.method.clone(), &path.join("/"));
        request = match credentials {
            Credentials::None => request,
            Credentials::Bearer(token) => request.bearer_auth(token),
            Credentials::InUrl(name, token) => request.query(&[(name, token)]),
            Credentials::Service(token) => request.header("X-Service-Token", *token),
            Credentials::Cookie(cookie) => request.header("Cookie", cookie),
        };
        if !self.body().is_null() {
            let mut body = valid(self.body());
            if let Some(field) = body.get_mut("room_id") {
                *field = json!(room);
            }
            request = request.json(&body);
        }
        status_and_code(request).await
    }
}

/// Returns a body with the required fields of a schema.
fn valid(schema: &Value) -> Value {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let member = |name: &Value| {
        let name = name.as_str().expect("a name");
        let value = if schema["properties"][name]["type"] == "boolean" { json!(true) } else { json!("1") };
        (name.to_owned(), value)
    };
    Value::Object(required.iter().map(member).collect::<Map<_, _>>())
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().expect("paths").iter();
    let all = paths.flat_map(|(path, item)| {
        item.as_object().expect("operations").iter().map(move |(method, description)| Operation {
            method: method.to_uppercase().parse().expect("a method"),
            path,
            description,
        })
    });
    all.collect()
}

fn of_role(role: &str, tenant: i64, expires: i64) -> String {
    token(&json!({
        "sub": format!("{role}-{tenant}"), "role": role, "tenant_id": tenant, "display_name": role,
        "iss": "aesystek-hub", "exp": in_seconds(expires),
    }))
}

/// Begins a session. Returns its cookie, as a browser sends it.
async fn session_cookie(client: &Client, token: &str) -> String {
    let answer =
        client.request(Method::POST, "/auth/session").bearer_auth(token).send().await.expect("an answer");
    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    cookie.split(';').next().expect("a cookie").to_owned()
}

async fn without_homeserver() -> Stack {
    let environment = [("MATRIX_HS_TOKEN", HS_TOKEN), ("LIMIT_FAILURES_PER_ADDRESS", "0")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Stack::start_with(Plan { homeserver: false, worker: false, environment, ..Plan::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_refuses_all_credentials_but_those_that_it_declares() {
    if is_skipped_on_deployment("it configures the service") {
        return;
    }
    let stack = without_homeserver().await;
    let client = stack.client();
    let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
    let user = of_role("user", 1, 3600);
    let cookie = session_cookie(&client, &user).await;
    let (name, value) = cookie.split_once('=').expect("a value");
    let shown = [
        ("sessionCookie", Credentials::Cookie(cookie.clone())),
        ("", Credentials::Bearer(value.to_owned())),
        ("", Credentials::InUrl("token", value.to_owned())),
        ("", Credentials::Cookie(format!("{name}={user}"))),
        ("", Credentials::None),
        ("userToken", Credentials::Bearer(user.clone())),
        ("userTokenInUrl", Credentials::InUrl("token", user)),
        ("", Credentials::Bearer(of_role("user", 1, -3600))),
        ("", Credentials::Bearer("no JWT".to_owned())),
        ("serviceToken", Credentials::Service(service_token())),
        ("", Credentials::Service("wrong")),
        ("homeserverToken", Credentials::Bearer(HS_TOKEN.to_owned())),
        ("homeserverTokenInUrl", Credentials::InUrl("access_token", HS_TOKEN.to_owned())),
    ];
    let mut wrong = Vec::new();
    for operation in operations(&document) {
        let is_public = operation.description["security"] == json!([]);
        let without = operation.ask(&client, &Credentials::None).await;
        for (scheme, credentials) in &shown {
            let (status, code) = operation.ask(&client, credentials).await;
            let is_right = if is_public {
                (status, &code) == (without.0, &without.1)
            } else if operation.accepts(scheme) {
                status != 401 && !code.ends_with("_wrong")
            } else {
                status == 401 || (status == 403 && code.ends_with("_wrong"))
            };
            if !is_right {
                wrong.push(format!("{} {} {scheme}: {status} {code}", operation.method, operation.path));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_reads_with_the_session_cookie_what_the_document_says_and_pages_of_other_origins_do_not() {
    if is_skipped_on_deployment("it configures the service") {
        return;
    }
    let stack = without_homeserver().await;
    let client = stack.client();
    let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
    let cookie = session_cookie(&client, &of_role("viewer", 1, 3600)).await;
    let mut paths = Vec::new();
    for operation in operations(&document).iter().filter(|operation| operation.accepts("sessionCookie")) {
        let (status, code) = operation.ask(&client, &Credentials::Cookie(cookie.clone())).await;
        assert!(status == 200 || code == "not_found", "{} {status} {code}", operation.path);
        let elsewhere = client.request(Method::GET, operation.path).header("Cookie", &cookie);
        let refused = status_and_code(elsewhere.header("Origin", "https://elsewhere.example")).await;
        assert_eq!(refused, (403, "origin_not_allowed".to_owned()), "{}", operation.path);
        paths.push(format!("{} {}", operation.method, operation.path));
    }
    let expected = [
        "GET /api/v1/events/poll",
        "GET /api/v1/events/stream",
        "GET /api/v1/messages/media/{server}/{media_id}",
    ];
    assert_eq!(paths, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_of_each_tenant_reads_and_viewers_write_nothing() {
    if is_skipped_on_deployment("it configures the service") {
        return;
    }
    let stack = without_homeserver().await;
    let client = stack.client();
    let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
    let mut wrong = Vec::new();
    for operation in operations(&document).iter().filter(|operation| operation.accepts("userToken")) {
        for tenant in [1, 2] {
            for role in ["user", "terminal", "manager", "admin", "super_admin", "viewer", "guest"] {
                let credentials = Credentials::Bearer(of_role(role, tenant, 3600));
                let (status, code) = operation.ask(&client, &credentials).await;
                let may_write = !matches!(role, "viewer" | "guest");
                let is_right = match (status, code.as_str()) {
                    (401 | 500, _) => false,
                    (403, "read_only_role") => !may_write,
                    _ if operation.is_administrative() && !matches!(role, "admin" | "super_admin") => {
                        (status, code.as_str()) == (403, "admin_role_needed")
                    }
                    (403, "admin_role_needed") => false,
                    // A room that does not exist, and a form without a file, are reported before the role.
                    (404 | 415 | 422, _) => true,
                    _ => may_write || !operation.writes(),
                };
                if !is_right {
                    wrong.push(format!(
                        "{} {} {role} of {tenant}: {status} {code}",
                        operation.method, operation.path
                    ));
                }
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_exists_for_its_members_and_for_nobody_else() {
    let stack = Stack::start().await;
    let client = stack.client();
    let [anna, _, _] = client.provisioned_users(["anna", "bert", "carla"]).await;
    let room = anna.post("/api/v1/rooms", &json!({ "name": "Schicht 1", "invite_users": ["bert"] })).await;
    let room = room.body["matrix_room_id"].as_str().expect("a room").to_owned();
    let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
    let all = operations(&document);
    // The last operation of the member ends the membership.
    let (leave, others): (Vec<_>, Vec<_>) = all
        .iter()
        .filter(|operation| operation.accepts("userToken") && operation.names_room())
        .filter(|operation| !operation.is_administrative())
        .partition(|operation| operation.path.ends_with("/leave"));
    assert!(others.len() >= 6, "the operations about a room");
    let credentials = |user: &str, role: &str, tenant: i64| {
        Credentials::Bearer(token(&json!({
            "sub": user, "role": role, "tenant_id": tenant, "display_name": format!("Name von {user}"),
            "iss": "aesystek-hub", "exp": in_seconds(3600),
        })))
    };
    let strangers = [("carla", "user", 1), ("chief", "admin", 1), ("otto", "user", 2), ("omar", "admin", 2)];
    let mut wrong = Vec::new();
    for operation in others.into_iter().chain(leave) {
        let event = if operation.path.contains("{event_id}") {
            let message = json!({ "room_id": room, "body": "x" });
            let sent = client.user("bert").post("/api/v1/messages/send", &message).await;
            sent.body["event_id"].as_str().expect("an id").to_owned()
        } else {
            "1".to_owned()
        };
        let about = (room.as_str(), event.as_str());
        for (user, role, tenant) in strangers {
            let (status, code) = operation.ask_about(about, &client, &credentials(user, role, tenant)).await;
            if (status, code.as_str()) != (404, "not_found") {
                wrong.push(format!("{} {} {user}: {status} {code}", operation.method, operation.path));
            }
        }
        let (status, code) = operation.ask_about(about, &client, &credentials("bert", "user", 1)).await;
        // The invited user of the body does not exist.
        if !matches!((status, code.as_str()), (200..300, _) | (422, "unknown_user" | "invalid_request")) {
            wrong.push(format!("{} {} bert: {status} {code}", operation.method, operation.path));
        }
    }
    assert_eq!(wrong, [""; 0]);
}
