//! The session cookie: the requests that it signs in, and the origins that may send it.

use std::net::IpAddr;

use axum::{
    Router,
    routing::{get, post},
};
use http::{Method, Request, request};
use messenger_runtime::{
    ApiError, App,
    caller::{Authenticated, AuthenticatedByUrl},
    limits::Peer,
    origin::TrustedOrigin,
    testing::{EXPIRY, SECRET_KEY, Wire, session_cookie, signed, token},
};
use messenger_testkit::messenger;
use serde_json::json;

fn routes() -> Router<App> {
    let by_url = |AuthenticatedByUrl(caller): AuthenticatedByUrl| async move {
        Ok::<_, ApiError>(caller.user.id().to_string())
    };
    let by_header =
        |Authenticated(caller): Authenticated| async move { Ok::<_, ApiError>(caller.user.id().to_string()) };
    let trusted = |_: TrustedOrigin| async { Ok::<_, ApiError>("trusted") };
    Router::new()
        .route("/stream", get(by_url).post(by_url))
        .route("/rooms", get(by_header))
        .route("/session", post(trusted))
}

fn wire(variables: &[(&str, &str)]) -> Wire {
    Wire::configured(routes(), &messenger().build(), variables)
}

/// Returns the status and the code of a problem, or the user.
async fn ask(wire: &Wire, request: request::Builder) -> (u16, String) {
    let answer = wire.ask(request).await;
    let text = answer.body["code"].as_str().or(answer.body.as_str());
    (answer.status, text.unwrap_or_default().to_owned())
}

fn with_cookie(method: Method, path: &str) -> request::Builder {
    Request::builder().method(method).uri(path).header("Cookie", session_cookie("mueller"))
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn user(id: &str) -> (u16, String) {
    (200, id.to_owned())
}

#[tokio::test]
async fn the_cookie_signs_its_user_in_where_a_token_may_stand_in_the_url_and_nowhere_else() {
    let wire = wire(&[]);
    assert_eq!(ask(&wire, with_cookie(Method::GET, "/stream")).await, user("mueller"));
    assert_eq!(ask(&wire, with_cookie(Method::HEAD, "/stream")).await, user(""));
    for (method, path) in [(Method::POST, "/stream"), (Method::GET, "/rooms")] {
        assert_eq!(ask(&wire, with_cookie(method, path)).await, refused(401, "token_missing"), "{path}");
    }
}

#[tokio::test]
async fn a_token_in_the_header_counts_before_the_url_and_both_before_the_cookie() {
    let wire = wire(&[]);
    let in_url = format!("/stream?token={}", token("schmidt"));
    assert_eq!(ask(&wire, with_cookie(Method::GET, &in_url)).await, user("schmidt"));
    let both =
        with_cookie(Method::GET, &in_url).header("Authorization", format!("Bearer {}", token("weber")));
    assert_eq!(ask(&wire, both).await, user("weber"));
    let wrong = with_cookie(Method::GET, "/stream?token=abc");
    assert_eq!(ask(&wire, wrong).await, refused(401, "token_invalid"), "no other credentials are tried");
    let basic = with_cookie(Method::GET, "/stream").header("Authorization", "Basic eA==");
    assert_eq!(ask(&wire, basic).await, user("mueller"), "the credentials of a proxy");
    // A token counts from any origin.
    let elsewhere = with_cookie(Method::GET, &in_url).header("Origin", "https://elsewhere.example");
    assert_eq!(ask(&wire, elsewhere).await, user("schmidt"));
}

#[tokio::test]
async fn the_cookie_is_found_among_others() {
    let wire = wire(&[]);
    let cookie = session_cookie("mueller");
    let get = || Request::get("/stream");
    for request in [
        get().header("Cookie", format!("theme=dark; {cookie};lang=de")),
        get().header("Cookie", "theme=dark").header("Cookie", &cookie),
        get().header("Cookie", format!("a;;=; {cookie}; messenger_session=abc")),
    ] {
        assert_eq!(ask(&wire, request).await, user("mueller"));
    }
    for other in ["", "messenger_session", "messenger_session=", "other=1", &format!("x{cookie}")] {
        let request = get().header("Cookie", other);
        assert_eq!(ask(&wire, request).await, refused(401, "token_missing"), "{other}");
    }
}

#[tokio::test]
async fn a_wrong_value_is_refused_as_a_wrong_token_is() {
    let wire = wire(&[("LIMIT_FAILURES_PER_ADDRESS", "2")]);
    let with = |value: &str| Request::get("/stream").header("Cookie", format!("messenger_session={value}"));
    let claims = json!({
        "sub": "mueller", "iss": "messenger-service", "aud": "session-cookie", "exp": 1_700_000_000,
    });
    let expired = signed(&claims, SECRET_KEY);
    assert_eq!(ask(&wire, with(&expired)).await, refused(401, "token_expired"));
    for token in ["abc", &token("mueller")] {
        assert_eq!(ask(&wire, with(token)).await, refused(401, "token_invalid"));
    }
    assert_eq!(ask(&wire, with("abc")).await, refused(429, "rate_limited"));
}

#[tokio::test]
async fn with_tls_only_the_name_counts_that_no_other_host_can_set() {
    let wire = wire(&[("PUBLIC_URL", "https://hub.example")]);
    let plain = with_cookie(Method::GET, "/stream");
    assert_eq!(ask(&wire, plain).await, refused(401, "token_missing"));
    let secure = format!("__Host-{}", session_cookie("mueller"));
    assert_eq!(ask(&wire, Request::get("/stream").header("Cookie", secure)).await, user("mueller"));
}

/// Returns whether a request of this origin is accepted, with the cookie and when one is to be set.
async fn is_accepted(wire: &Wire, headers: &[(&str, &str)]) -> bool {
    let with = |request: request::Builder| {
        let request = request.header("Host", "hub.example:8085");
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    };
    let stream = ask(wire, with(with_cookie(Method::GET, "/stream"))).await;
    let session = ask(wire, with(Request::post("/session"))).await;
    assert_eq!(stream.0, session.0, "{headers:?}");
    let is_refused = stream == refused(403, "origin_not_allowed");
    assert!(is_refused || stream == user("mueller"), "{stream:?}");
    !is_refused
}

#[tokio::test]
async fn only_pages_of_the_services_own_origin_use_the_cookie() {
    // In development, pages of each origin may call, with a token.
    let wire = wire(&[]);
    for own in [
        &[][..],
        &[("Origin", "http://hub.example:8085")],
        &[("Origin", "https://hub.example:8085")],
        &[("Sec-Fetch-Site", "same-origin")],
        // The user opens the address of a file.
        &[("Sec-Fetch-Site", "none")],
        // A proxy has replaced `Host`.
        &[("Sec-Fetch-Site", "same-origin"), ("Origin", "https://public.example")],
    ] {
        assert!(is_accepted(&wire, own).await, "{own:?}");
    }
    for other in [
        &[("Origin", "http://hub.example")][..],
        &[("Origin", "http://hub.example:8086")],
        &[("Origin", "http://evil.example")],
        &[("Origin", "http://hub.example:8085.evil.example")],
        &[("Origin", "null")],
        &[("Origin", "")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "same-site"), ("Origin", "http://hub.example")],
        &[("Origin", "http://evil.example"), ("X-Forwarded-Host", "evil.example")],
    ] {
        assert!(!is_accepted(&wire, other).await, "{other:?}");
    }
}

#[tokio::test]
async fn pages_of_public_url_and_of_named_origins_use_the_cookie() {
    let named = wire(&[("ALLOWED_ORIGINS", "https://app.example, http://app.example:8085")]);
    for (origin, expected) in
        [("https://app.example", true), ("http://app.example:8085", true), ("http://app.example", false)]
    {
        for site in [&[][..], &[("Sec-Fetch-Site", "cross-site")]] {
            let headers = [&[("Origin", origin)], site].concat();
            assert_eq!(is_accepted(&named, &headers).await, expected, "{headers:?}");
        }
    }
    let public = wire(&[("PUBLIC_URL", "http://public.example/messenger")]);
    assert!(is_accepted(&public, &[("Origin", "http://public.example")]).await);
    assert!(!is_accepted(&public, &[("Origin", "https://public.example")]).await);
}

#[tokio::test]
async fn the_host_that_a_trusted_proxy_states_is_that_of_the_service() {
    let wire = wire(&[("TRUSTED_PROXIES", "10.0.0.1")]);
    let ask = async |peer: &str, host: &str| {
        let peer = Peer(peer.parse::<IpAddr>().expect("an address"));
        let request = with_cookie(Method::GET, "/stream").header("Host", "router:8000").extension(peer);
        let request = request.header("Origin", "https://public.example").header("X-Forwarded-Host", host);
        ask(&wire, request).await.0
    };
    assert_eq!(ask("10.0.0.1", "public.example").await, 200);
    assert_eq!(ask("10.0.0.1", "public.example, router:8000").await, 200);
    assert_eq!(ask("10.0.0.1", "other.example").await, 403);
    assert_eq!(ask("10.0.0.2", "public.example").await, 403);
}

#[tokio::test]
async fn a_user_who_has_moved_to_another_tenant_is_refused_with_the_old_cookie() {
    let wire = wire(&[]);
    assert_eq!(ask(&wire, with_cookie(Method::GET, "/stream")).await, user("mueller"));
    let moved = json!({
        "sub": "mueller", "role": "user", "tenant_id": 2, "iss": "aesystek-hub", "exp": EXPIRY,
        "iat": 1_700_000_000,
    });
    let moved = signed(&moved, messenger_runtime::testing::HUB_SECRET_KEY);
    let request = Request::get("/rooms").header("Authorization", format!("Bearer {moved}"));
    assert_eq!(ask(&wire, request).await, user("mueller"));
    assert_eq!(ask(&wire, with_cookie(Method::GET, "/stream")).await, refused(401, "token_superseded"));
}
