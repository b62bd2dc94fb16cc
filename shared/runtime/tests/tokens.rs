//! Tokens: whom they make of their bearer, and which are none. (What a door does with them is told at the doors.)
#![expect(clippy::expect_used, reason = "what a test needs and does not get fails it")]

use messenger_core::{id::TenantId, user::Role};
use messenger_runtime::{
    Config,
    auth::{Auth, Verified},
    testing::{EXPIRY, HUB_SECRET_KEY, config, signed},
};
use serde_json::{Value, json};

/// A Hub's token with these claims changed; `null` takes one away.
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

fn code(config: &Config, token: &str) -> &'static str {
    Auth::new(config).user(token).expect_err("the token is no good").code()
}

#[test]
fn every_role_of_the_hub_becomes_one_of_ours() {
    let roles = [
        ("super_admin", Role::Admin),
        ("admin", Role::Admin),
        ("manager", Role::User),
        ("user", Role::User),
        ("terminal", Role::User),
        ("viewer", Role::Viewer),
        ("Admin", Role::Viewer),
        ("root", Role::Viewer),
        ("", Role::Viewer),
    ];
    for (hub, ours) in roles {
        assert_eq!(verified(&json!({ "role": hub })).identity.role, ours, "{hub}");
    }
    assert_eq!(verified(&json!({})).identity.role, Role::Viewer);
}

#[test]
fn a_tenant_is_a_number_also_in_quotes_or_the_default() {
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

#[test]
fn what_is_no_token_of_anybody_is_refused() {
    let config = config(&[]);
    let header = "eyJhbGciOiJub25lIn0";
    let none = format!("{header}.{}.", hub_token(&json!({})).split('.').nth(1).expect("a payload"));
    let wrong = [
        ("no algorithm", none),
        ("another key", signed(&json!({ "sub": "m", "iss": "aesystek-hub", "exp": EXPIRY }), "another key")),
        ("our issuer with the Hub's key", hub_token(&json!({ "iss": "messenger-service" }))),
        ("another issuer", hub_token(&json!({ "iss": "somebody" }))),
        ("no issuer", hub_token(&json!({ "iss": null }))),
        ("no end", hub_token(&json!({ "exp": null }))),
        ("an end before 1970", hub_token(&json!({ "exp": -1 }))),
        ("an end that is text", hub_token(&json!({ "exp": "4102444800" }))),
        ("not yet", hub_token(&json!({ "nbf": EXPIRY }))),
        ("nobody", hub_token(&json!({ "sub": null }))),
        ("a blank name", hub_token(&json!({ "sub": " " }))),
        ("a name with control characters", hub_token(&json!({ "sub": "a\nb" }))),
        ("a name that is too long", hub_token(&json!({ "sub": "x".repeat(256) }))),
        ("a name that is a number", hub_token(&json!({ "sub": 7 }))),
        ("a tenant that is none", hub_token(&json!({ "tenant_id": "eins" }))),
        ("a tenant with a fraction", hub_token(&json!({ "tenant_id": 1.5 }))),
        ("nothing", String::new()),
        ("two dots", "..".to_owned()),
    ];
    for (what, token) in wrong {
        assert_eq!(code(&config, &token), "token_invalid", "{what}");
    }
    assert_eq!(code(&config, &hub_token(&json!({ "exp": 1_700_000_000 }))), "token_expired");
}

#[test]
fn an_end_may_have_a_fraction_and_may_be_beyond_the_calendar() {
    let ends = |exp: Value| verified(&json!({ "exp": exp })).expires_at.to_string();
    assert_eq!(ends(json!(EXPIRY)), "2100-01-01T00:00:30Z", "with the leeway");
    assert_eq!(ends(json!(4_102_444_800.75)), "2100-01-01T00:00:30Z");
    assert!(ends(json!(i64::MAX)).starts_with("9999-12-"), "{}", ends(json!(i64::MAX)));
}

#[test]
fn without_the_hubs_key_only_our_own_tokens_open() {
    let off = config(&[("HUB_SECRET_KEY", "")]);
    assert_eq!(code(&off, &hub_token(&json!({}))), "token_invalid");
    let ours = json!({ "sub": "mueller", "iss": "messenger-service", "exp": EXPIRY });
    let ours = signed(&ours, "messenger-dev-secret");
    for config in [off, config(&[])] {
        assert_eq!(Auth::new(&config).user(&ours).expect("good").identity.hub_user_id.as_str(), "mueller");
    }
    // With an empty key anybody could sign.
    assert_eq!(
        code(
            &config(&[("HUB_SECRET_KEY", "")]),
            &signed(&json!({ "sub": "m", "iss": "aesystek-hub", "exp": EXPIRY }), "")
        ),
        "token_invalid"
    );
}
