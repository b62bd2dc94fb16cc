//! Tokens: the identity of their bearer, and their refusals. The tests of functions cover the answers to
//! them.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use jsonwebtoken::{EncodingKey, Header, encode};
use messenger_core::{id::TenantId, user::Role};
use messenger_runtime::{
    Config,
    auth::{Auth, Verified},
    testing::{EXPIRY, HUB_SECRET_KEY, config, signed},
};
use serde_json::{Value, json, value::RawValue};

/// Returns a token of the Hub with these claims changed; `null` removes one.
fn hub_token(changes: &Value) -> String {
    let mut claims = json!({ "sub": "mueller", "iss": "aesystek-hub", "exp": EXPIRY });
    let claims_of = claims.as_object_mut().expect("an object");
    claims_of.extend(changes.as_object().expect("an object").clone());
    claims_of.retain(|_, value| !value.is_null());
    signed(&claims, HUB_SECRET_KEY)
}

fn verified(changes: &Value) -> Verified {
    Auth::new(&config(&[])).user(&hub_token(changes)).expect("the token is good")
}

#[test]
fn each_role_of_the_hub_maps_to_a_role_of_this_service() {
    let roles = [
        ("super_admin", Role::SuperAdmin),
        ("admin", Role::Admin),
        ("manager", Role::User),
        ("user", Role::User),
        ("terminal", Role::User),
        ("viewer", Role::Viewer),
        ("Admin", Role::Viewer),
        ("root", Role::Viewer),
        ("", Role::Viewer),
    ];
    for (hub_role, ours) in roles {
        assert_eq!(verified(&json!({ "role": hub_role })).identity.role, ours, "{hub_role}");
    }
    assert_eq!(verified(&json!({})).identity.role, Role::Viewer);
}

#[test]
fn a_tenant_is_a_number_or_one_in_quotes_or_the_default() {
    let tenant = |claim: Value| verified(&json!({ "tenant_id": claim })).identity.tenant;
    assert_eq!(
        (tenant(json!(2)), tenant(json!("2")), tenant(json!(null))),
        (TenantId(2), TenantId(2), TenantId(1))
    );
    let other_default = Auth::new(&config(&[("DEFAULT_TENANT_ID", "7")]));
    assert_eq!(other_default.user(&hub_token(&json!({}))).expect("good").identity.tenant, TenantId(7));
}

#[test]
fn a_name_is_cleaned_and_never_empty() {
    let name = |claim: Value| verified(&json!({ "display_name": claim })).identity.display_name;
    assert_eq!(name(json!(" Max\u{0} Müller\n ")), "Max Müller");
    assert_eq!(name(json!("ü".repeat(300))), "ü".repeat(255));
    assert_eq!((name(json!(null)), name(json!(" \u{7} "))), ("mueller".to_owned(), "mueller".to_owned()));
}

/// Returns the code and the detail of the refusal of a token.
fn refusal(config: &Config, token: &str) -> (&'static str, String) {
    let error = Auth::new(config).user(token).expect_err("the token is no good");
    (error.code(), error.to_string())
}

#[test]
fn each_wrong_token_is_refused_with_its_reason() {
    let config = config(&[]);
    let payload = |token: &str| token.split('.').nth(1).expect("a payload").to_owned();
    // {"alg":"none"}, {"alg":"RS256"} and {"alg":"HS512"}
    let with_header = |header: &str| format!("{header}.{}.c2ln", payload(&hub_token(&json!({}))));
    let none = format!("eyJhbGciOiJub25lIn0.{}.", payload(&hub_token(&json!({}))));
    let other_key =
        |issuer: &str, key: &str| signed(&json!({ "sub": "m", "iss": issuer, "exp": EXPIRY }), key);
    let wrong = [
        ("not a JWT", String::new()),
        ("not a JWT", "abc".to_owned()),
        ("not a JWT", "..".to_owned()),
        ("not a JWT", "a.b.c".to_owned()),
        ("HS256", none),
        ("HS256", with_header("eyJhbGciOiJSUzI1NiJ9")),
        ("HS256", with_header("eyJhbGciOiJIUzUxMiJ9")),
        ("signature", other_key("aesystek-hub", "another key")),
        // The answer does not reveal that the signature is right and the issuer wrong.
        ("signature", other_key("aesystek-hub", "messenger-dev-secret")),
        ("signature", hub_token(&json!({ "iss": "messenger-service" }))),
        ("signature", signed(&json!({ "iss": "aesystek-hub" }), "another key")),
        ("signature", format!("{}x", hub_token(&json!({})))),
        ("`iss`", hub_token(&json!({ "iss": "somebody" }))),
        ("no `iss`", hub_token(&json!({ "iss": null }))),
        ("no `iss`", hub_token(&json!({ "iss": ["aesystek-hub"] }))),
        ("no `exp`", hub_token(&json!({ "exp": null }))),
        ("no `exp`, or one that is not a number", hub_token(&json!({ "exp": -1 }))),
        ("no `exp`, or one that is not a number", hub_token(&json!({ "exp": "4102444800" }))),
        ("no `sub`", hub_token(&json!({ "sub": null }))),
        ("no `sub`", hub_token(&json!({ "sub": 7 }))),
        ("`sub` must not be blank", hub_token(&json!({ "sub": " " }))),
        ("`sub` must not contain control characters", hub_token(&json!({ "sub": "a\nb" }))),
        ("`sub` must have at most 255", hub_token(&json!({ "sub": "x".repeat(256) }))),
        ("`tenant_id` must be", hub_token(&json!({ "tenant_id": "eins" }))),
        ("`tenant_id` must be", hub_token(&json!({ "tenant_id": 1.5 }))),
        ("`role` must be text", hub_token(&json!({ "role": 1 }))),
        ("`display_name` must be text", hub_token(&json!({ "display_name": { "first": "Max" } }))),
        ("`iat` must be a number", hub_token(&json!({ "iat": "yesterday" }))),
    ];
    for (what, token) in wrong {
        let (code, detail) = refusal(&config, &token);
        assert!(code == "token_invalid" && detail.contains(what), "{what}: {code} {detail}");
    }
    let (code, detail) = refusal(&config, &hub_token(&json!({ "exp": 1_700_000_000 })));
    assert!(code == "token_expired" && detail.contains("expired"), "{detail}");
    for (claim, token) in [
        ("`nbf`", hub_token(&json!({ "nbf": EXPIRY }))),
        ("`iat`", hub_token(&json!({ "iat": EXPIRY }))),
        ("`iat`", hub_token(&json!({ "iat": 1_769_875_698_000_i64 }))),
        ("`iat`", hub_token(&json!({ "iat": 1e300 }))),
    ] {
        let (code, detail) = refusal(&config, &token);
        assert!(code == "token_not_yet_valid" && detail.contains(claim), "{claim}: {code} {detail}");
    }
}

#[test]
fn a_time_of_issue_is_read_to_the_microsecond() {
    let issued = |iat: Value| verified(&json!({ "iat": iat })).identity.issued_at.map(|at| at.to_string());
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(issued(json!(1_700_000_000)), text("2023-11-14T22:13:20Z"));
    assert_eq!(issued(json!(1_700_000_000.123_456_7)), text("2023-11-14T22:13:20.123457Z"));
    assert_eq!(issued(json!(-1e300)), text("1970-01-01T00:00:00Z"));
    assert_eq!((issued(json!(0)), issued(json!(null))), (text("1970-01-01T00:00:00Z"), None));
    let now = jsonwebtoken::get_current_timestamp();
    assert!(issued(json!(now + 20)).is_some(), "clocks may differ a little");
}

#[test]
fn an_expiry_may_have_a_fraction_and_may_be_beyond_the_calendar() {
    let ends = |exp: Value| verified(&json!({ "exp": exp })).expires_at.to_string();
    assert_eq!(ends(json!(EXPIRY)), "2100-01-01T00:00:30Z", "with the leeway");
    assert_eq!(ends(json!(4_102_444_800.75)), "2100-01-01T00:00:30Z");
    assert!(ends(json!(i64::MAX)).starts_with("9999-12-"), "{}", ends(json!(i64::MAX)));
}

#[test]
fn without_the_hubs_key_only_tokens_of_this_service_are_accepted() {
    let off = config(&[("HUB_SECRET_KEY", "")]);
    let (code, detail) = refusal(&off, &hub_token(&json!({})));
    assert!(code == "sso_disabled" && detail.contains("HUB_SECRET_KEY"), "{code} {detail}");
    let ours = json!({ "sub": "mueller", "iss": "messenger-service", "exp": EXPIRY });
    let ours = signed(&ours, "messenger-dev-secret");
    for config in [off, config(&[])] {
        assert_eq!(Auth::new(&config).user(&ours).expect("good").identity.hub_user_id.as_str(), "mueller");
    }
    // With an empty key any client could sign.
    let unsigned = signed(&json!({ "sub": "m", "iss": "aesystek-hub", "exp": EXPIRY }), "");
    assert_eq!(refusal(&config(&[("HUB_SECRET_KEY", "")]), &unsigned).0, "sso_disabled");
}

/// Returns the claims of the local token that is issued for one of the Hub, at this second.
fn local(variables: &[(&str, &str)], changes: &Value, now: i64) -> Value {
    let auth = Auth::new(&config(variables));
    let shown = auth.user(&hub_token(changes)).expect("the token is good");
    let now = jiff::Timestamp::from_second(now).expect("a time");
    let token = auth.local_token(&shown, &shown.identity, now).expect("a token");
    jsonwebtoken::dangerous::insecure_decode_claims(token).expect("claims")
}

#[test]
fn a_local_token_expires_with_the_hubs_unless_configured_otherwise() {
    let exp = |variables: &[(&str, &str)], hub_exp: i64| {
        local(variables, &json!({ "exp": hub_exp }), EXPIRY - 60)["exp"].as_i64().expect("a time") - EXPIRY
    };
    let (soon, late) = (EXPIRY, EXPIRY + 1_000_000);
    assert_eq!((exp(&[], soon), exp(&[], late)), (0, 12 * 3600 - 60));
    let short = [("LOCAL_TOKEN_MAX_SECONDS", "30")];
    assert_eq!((exp(&short, soon), exp(&short, late)), (-30, -30));
    let longer = [("LOCAL_TOKEN_OUTLIVES_HUB", "true"), ("LOCAL_TOKEN_MAX_SECONDS", "3600")];
    assert_eq!((exp(&longer, soon), exp(&longer, late)), (3540, 3540));
}

#[test]
fn a_local_token_holds_the_time_of_issue_of_the_hubs() {
    let issued = local(&[], &json!({ "iat": 1_700_000_000.123_457 }), EXPIRY - 60);
    assert_eq!(issued["hub_iat"], json!(1_700_000_000.123_457));
    let mut claims = issued.clone();
    claims["exp"] = json!(EXPIRY);
    // Its own time of issue is that of the test's clock: in the future.
    claims["iat"] = json!(1_700_000_100);
    let ours = signed(&claims, "messenger-dev-secret");
    let verified = Auth::new(&config(&[])).user(&ours).expect("it is good");
    assert!(!verified.by_hub);
    assert_eq!(verified.identity.issued_at.expect("a time").to_string(), "2023-11-14T22:13:20.123457Z");
    assert_eq!(local(&[], &json!({}), EXPIRY - 60)["hub_iat"], json!(null));
}

/// Returns a token with this text as its claims, signed with the Hub's key.
fn raw_token(claims: &str) -> String {
    let claims = RawValue::from_string(claims.to_owned()).expect("JSON");
    let key = EncodingKey::from_secret(HUB_SECRET_KEY.as_bytes());
    encode(&Header::default(), &claims, &key).expect("a token")
}

#[test]
fn claims_are_read_as_tolerantly_as_bodies() {
    let read = |claims: &str| {
        let claims =
            format!(r#"{{"sub": " mu\u0308ller ", "iss": "aesystek-hub", "exp": {EXPIRY}.0, {claims}}}"#);
        Auth::new(&config(&[])).user(&raw_token(&claims)).expect("the token is good").identity
    };
    let deep = "[".repeat(1_000) + &"]".repeat(1_000);
    let müller =
        read(&format!(r#""display_name": "Max \ud83d", "tenant_id": 2.0, "n": 1e400, "deep": {deep}"#));
    assert_eq!(müller.hub_user_id.as_str(), "müller");
    assert_eq!((müller.display_name.as_str(), müller.tenant), ("Max \u{fffd}", TenantId(2)));
    for tenant in ["2e0", "20e-1", "\"2\"", "\" 2.0 \""] {
        assert_eq!(read(&format!("\"tenant_id\": {tenant}")).tenant, TenantId(2), "{tenant}");
    }
    // An id with half of a surrogate pair could be that of any user.
    let half = format!(r#"{{"sub": "m\ud83d", "iss": "aesystek-hub", "exp": {EXPIRY}}}"#);
    let refused = Auth::new(&config(&[])).user(&raw_token(&half)).expect_err("the token is no good");
    assert_eq!(refused.code(), "token_invalid");
}

#[test]
fn an_invisible_name_is_replaced_by_the_user_id() {
    let identity = |claims: Value| verified(&claims).identity;
    let name = |claim: &str| identity(json!({ "display_name": claim })).display_name;
    assert_eq!(name("Max\u{200b}\u{202e} Mu\u{308}ller"), "Max Müller");
    assert_eq!(name("\u{200b}\u{2066}\u{3164}"), "mueller");
    assert_eq!(name("👩\u{200d}🔧 Anna"), "👩\u{200d}🔧 Anna");
    let id = identity(json!({ "sub": "mü\u{202e}ller" }));
    assert_eq!((id.hub_user_id.as_str(), id.display_name.as_str()), ("mü\u{202e}ller", "müller"));
}

#[test]
fn a_session_ends_with_the_users_token_and_after_twelve_hours_at_the_latest() {
    let now = i64::try_from(jsonwebtoken::get_current_timestamp()).expect("a time");
    let lifetime = |lives: i64| {
        let auth = Auth::new(&config(&[]));
        let shown = auth.user(&hub_token(&json!({ "exp": now + lives }))).expect("the token is good");
        let session = auth.session_token(&shown, &shown.identity).expect("a session");
        let verified = auth.session_user(&session.value).expect("the value is good");
        assert_eq!(verified.exp, session.exp);
        assert!(verified.expires_at <= shown.expires_at, "{} {}", verified.expires_at, shown.expires_at);
        session.lifetime.as_secs()
    };
    assert_eq!(lifetime(1_000_000), 12 * 3600);
    assert!((590..=600).contains(&lifetime(600)));
    assert_eq!(lifetime(-10), 1, "the tolerance of clocks is all that is left");
}

#[test]
fn a_session_keeps_the_identity_of_its_user() {
    let auth = Auth::new(&config(&[]));
    let claims = json!({ "tenant_id": 2, "role": "user", "display_name": "Max", "iat": 1_700_000_000.5 });
    let shown = auth.user(&hub_token(&claims)).expect("the token is good");
    let session = auth.session_token(&shown, &shown.identity).expect("a session");
    let verified = auth.session_user(&session.value).expect("the value is good");
    assert_eq!((verified.identity, verified.by_hub), (shown.identity, false));
}

#[test]
fn a_session_of_a_token_of_this_service_is_as_old_as_that_token() {
    let auth = Auth::new(&config(&[]));
    let claims = json!({ "sub": "m", "iss": "messenger-service", "iat": 1_700_000_000.25, "exp": EXPIRY });
    let shown = auth.user(&signed(&claims, "messenger-dev-secret")).expect("the token is good");
    let session = auth.session_token(&shown, &shown.identity).expect("a session");
    let verified = auth.session_user(&session.value).expect("the value is good");
    assert_eq!(verified.issued_at.map(jiff::Timestamp::as_millisecond), Some(1_700_000_000_250));
}

#[test]
fn the_value_of_a_session_cookie_is_no_bearer_token_and_no_bearer_token_is_one() {
    let auth = Auth::new(&config(&[]));
    let shown = auth.user(&hub_token(&json!({}))).expect("the token is good");
    let session = auth.session_token(&shown, &shown.identity).expect("a session");
    let (code, detail) = refusal(&config(&[]), &session.value);
    assert!(code == "token_invalid" && detail.contains("session cookie"), "{code} {detail}");
    let ours = auth.local_token(&shown, &shown.identity, jiff::Timestamp::MAX).expect("a token");
    let of_session = |aud: Value| {
        let claims = json!({ "sub": "m", "iss": "messenger-service", "aud": aud, "exp": EXPIRY });
        signed(&claims, "messenger-dev-secret")
    };
    assert!(auth.session_user(&of_session(json!("session-cookie"))).is_ok());
    let others = [json!("another"), json!(null), json!(["another"]), json!(7)].map(of_session);
    for token in
        [hub_token(&json!({ "aud": "session-cookie" })), ours, String::new()].into_iter().chain(others)
    {
        let refused = auth.session_user(&token).expect_err("the value is no good");
        assert_eq!(
            (refused.code(), refused.to_string().contains("POST /auth/session")),
            ("token_invalid", true)
        );
    }
    let expired =
        json!({ "sub": "m", "iss": "messenger-service", "aud": "session-cookie", "exp": 1_700_000_000 });
    let expired = auth.session_user(&signed(&expired, "messenger-dev-secret")).expect_err("it has expired");
    assert_eq!(expired.code(), "token_expired");
}
