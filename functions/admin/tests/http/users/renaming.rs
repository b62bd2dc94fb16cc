//! Administrators give users names that stay.

use http::Method;
use messenger_core::user::{Identity, Role};
use messenger_testkit::fixtures;
use serde_json::{Value, json};

use super::{act_on, admin, audit, matrix, named, path, provision, shown, signed_in};
use crate::fixture::{Site, token};

async fn rename(site: &Site, user: &str, name: &str) -> Value {
    let body = Some(json!({ "display_name": name }));
    let answer = site.call(&admin(), &Method::PATCH, &path(user, ""), body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_name_survives_every_sign_in_until_it_is_given_back() {
    let site = Site::start().await;
    let other = site.beside();
    named(&site, "anna", "Anna Alt", Role::User).await;
    provision(&site).await;
    let renamed = rename(&site, "anna", " Anna Schichtleiterin ").await;
    assert_eq!(renamed["display_name"], "Anna Schichtleiterin");
    assert_eq!((&renamed["hub_display_name"], &renamed["renamed"]), (&json!("Anna Alt"), &json!(true)));
    named(&site, "anna", "Anna Alt", Role::User).await;
    assert_eq!(shown(&site, "anna").await["display_name"], "Anna Schichtleiterin");
    let married = Identity { display_name: "Anna Neu".to_owned(), ..fixtures::identity("anna") };
    for process in [&other.messenger, &site.messenger, &other.messenger] {
        let user = process.users().sign_in(married.clone()).await.expect("signed in");
        assert_eq!((user.display_name.as_str(), &user.identity), ("Anna Schichtleiterin", &married));
    }
    let now = shown(&site, "anna").await;
    assert_eq!(
        (&now["display_name"], &now["hub_display_name"]),
        (&json!("Anna Schichtleiterin"), &json!("Anna Neu"))
    );
    let back =
        site.call(&admin(), &Method::PATCH, &path("anna", ""), Some(json!({ "display_name": null }))).await;
    assert_eq!((&back.body["display_name"], &back.body["renamed"]), (&json!("Anna Neu"), &json!(false)));
    named(&site, "anna", "Anna Neuer", Role::User).await;
    assert_eq!(shown(&site, "anna").await["display_name"], "Anna Neuer");
    let found = site.get(&admin(), "/api/v1/admin/users?q=neuer").await.body;
    assert_eq!(found.as_array().map(Vec::len), Some(1), "the search knows the name");
    assert_eq!(
        audit(&site).await,
        [
            json!(["user.rename", "anna", { "display_name": "Anna Schichtleiterin", "renamed": true },
                   { "display_name": "Anna Neu", "renamed": false }]),
            json!(["user.rename", "anna", { "display_name": "Anna Alt", "renamed": false },
                   { "display_name": "Anna Schichtleiterin", "renamed": true }]),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_name_is_shown_everywhere_at_once_and_on_the_homeserver_by_the_worker() {
    let site = Site::start().await;
    let (anna, bert) = (fixtures::identity("anna"), fixtures::identity("bert"));
    let anna = site.messenger.users().sign_in(anna).await.expect("signed in");
    let bert = site.messenger.users().sign_in(bert).await.expect("signed in");
    provision(&site).await;
    let expires_at = "2100-01-01T00:00:00Z".parse().expect("a time");
    let bert = messenger_core::user::Caller { user: bert, expires_at };
    site.messenger.rooms().open_direct_chat(&bert, anna.id()).await.expect("a chat");
    assert_eq!(rename(&site, "anna", "Schichtleitung").await["provisioned"], false, "the account is due");
    let rooms = site.messenger.rooms().list(&bert).await.expect("rooms");
    assert!(rooms.iter().any(|room| room.display_name == "Schichtleitung"), "{rooms:?}");
    site.homeserver.switch_off();
    provision(&site).await;
    assert_eq!(site.homeserver.display_name(&matrix("anna")).as_deref(), Some("anna"));
    site.homeserver.switch_on();
    site.messenger.operations().retry_now().await.expect("retried");
    provision(&site).await;
    assert_eq!(site.homeserver.display_name(&matrix("anna")).as_deref(), Some("Schichtleitung"));
    assert_eq!(shown(&site, "anna").await["provisioned"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_readers_cannot_see_or_confuse_with_the_bot_is_refused() {
    let site = Site::start().await;
    signed_in(&site, "anna").await;
    let before = shown(&site, "anna").await;
    for name in [
        json!(""),
        json!(" \u{a0}"),
        json!("\u{200b}"),
        json!("Anna\nBaum"),
        json!("Anna\u{202e}"),
        json!("Anna\u{0}"),
        json!("x".repeat(256)),
        json!("Messenger"),
        json!("m\u{e9}ssenger!"),
        json!("@messenger:hub.local"),
        json!(7),
    ] {
        let body = Some(json!({ "display_name": name }));
        let answer = site.call(&admin(), &Method::PATCH, &path("anna", ""), body).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["pointer"]),
            (422, &json!("/display_name")),
            "{name}: {}",
            answer.body
        );
    }
    let missing = site.call(&admin(), &Method::PATCH, &path("anna", ""), Some(json!({}))).await;
    assert_eq!((missing.status, &missing.body["errors"][0]["pointer"]), (422, &json!("/display_name")));
    assert_eq!(shown(&site, "anna").await, before);
    assert_eq!(audit(&site).await, [] as [Value; 0]);
    let longest = "Ä".repeat(255);
    assert_eq!(rename(&site, "anna", &longest).await["display_name"], longest);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_that_changes_nothing_leaves_version_and_log_alone() {
    let site = Site::start().await;
    signed_in(&site, "anna").await;
    let given = rename(&site, "anna", "Anna").await;
    assert_eq!(rename(&site, "anna", "Anna").await, given);
    named(&site, "bert", "Bert", Role::User).await;
    let kept = shown(&site, "bert").await;
    let back = Some(json!({ "display_name": null }));
    assert_eq!(site.call(&admin(), &Method::PATCH, &path("bert", ""), back).await.body, kept);
    assert_eq!(audit(&site).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_on_an_outdated_version_changes_nothing() {
    let site = Site::start().await;
    signed_in(&site, "anna").await;
    let first = shown(&site, "anna").await["version"].to_string();
    let name = |name: &str| Some(json!({ "display_name": name }));
    let etag = format!("\"{first}\"");
    let renamed = act_on(&site, &Method::PATCH, &path("anna", ""), &etag, name("Eins")).await;
    assert_eq!(renamed.status, 200);
    let present = renamed.body["version"].clone();
    for (method, part, body) in [
        (Method::PATCH, "", name("Zwei")),
        (Method::POST, "/external-access", Some(json!({ "enabled": true }))),
        (Method::POST, "/logout", None),
    ] {
        for outdated in [etag.as_str(), "W/\"1\"", "\"abc\"", "\"\""] {
            let refused = act_on(&site, &method, &path("anna", part), outdated, body.clone()).await;
            assert_eq!(
                (refused.status, &refused.body["code"], &refused.body["version"]),
                (412, &json!("version_mismatch"), &present),
                "{part} {outdated}"
            );
        }
    }
    assert_eq!(shown(&site, "anna").await, renamed.body);
    assert_eq!(audit(&site).await.len(), 1);
    for current in [format!("\"0\", \"{present}\""), "*".to_owned()] {
        let body = name(&format!("Name {current}"));
        assert_eq!(act_on(&site, &Method::PATCH, &path("anna", ""), &current, body).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_administrators_with_the_same_version_wins() {
    let site = Site::start().await;
    signed_in(&site, "anna").await;
    for round in 0..10 {
        let etag = format!("\"{}\"", shown(&site, "anna").await["version"]);
        let before = audit(&site).await.len();
        let names = [format!("Eins {round}"), format!("Zwei {round}")];
        let [one, other] = names.clone().map(|name| {
            let (site, etag) = (&site, &etag);
            async move {
                let body = Some(json!({ "display_name": name }));
                act_on(site, &Method::PATCH, &path("anna", ""), etag, body).await.status
            }
        });
        let (one, other) = tokio::join!(one, other);
        assert!([(200, 412), (412, 200)].contains(&(one, other)), "{one} {other}");
        let winner = &names[usize::from(one != 200)];
        assert_eq!(shown(&site, "anna").await["display_name"], winner.as_str());
        assert_eq!(audit(&site).await.len(), before + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_moves_to_another_tenant_has_the_name_of_the_hub() {
    let site = Site::start().await;
    signed_in(&site, "anna").await;
    rename(&site, "anna", "Anna von eins").await;
    let moved = Identity { tenant: fixtures::OTHER_TENANT, ..fixtures::identity("anna") };
    site.messenger.users().sign_in(moved).await.expect("signed in");
    let otto = token("otto", "admin", 2);
    let user = site.get(&otto, &path("anna", "")).await.body;
    assert_eq!((&user["display_name"], &user["renamed"]), (&json!("anna"), &json!(false)));
    assert_eq!(site.get(&admin(), &path("anna", "")).await.status, 404);
}
