//! The list of users, and its pages.

use messenger_core::user::Role;
use serde_json::{Value, json};

use super::{USERS, admin, matrix, named, path, provision, shown, signed_in};
use crate::fixture::Site;

async fn ids(site: &Site, query: &str) -> Vec<String> {
    let answer = site.get(&admin(), &format!("{USERS}?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let list = answer.body.as_array().expect("a list").iter();
    list.map(|user| user["hub_user_id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_these_fields() {
    let site = Site::start().await;
    named(&site, "Max", "Max Müller", Role::SuperAdmin).await;
    provision(&site).await;
    let mut user = shown(&site, "Max").await;
    assert!(user["created_at"].as_str().expect("a time").ends_with('Z'), "{user}");
    user["created_at"] = json!("[a time]");
    assert_eq!(
        user,
        json!({
            "hub_user_id": "Max", "display_name": "Max Müller", "hub_display_name": "Max Müller", "renamed": false,
            "role": "admin", "matrix_user_id": "@_max:hub.local", "provisioned": true,
            "external_client_enabled": false, "account": "ours", "account_problem": null,
            "created_at": "[a time]", "last_seen_at": null, "version": 2,
        })
    );
    let listed = site.get(&admin(), &format!("{USERS}?q=max")).await.body;
    assert_eq!(listed[0]["version"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_in_the_order_of_names_list_each_user_once() {
    let site = Site::start().await;
    for (id, name) in
        [("5", "Émile"), ("3", "anna"), ("1", "Berta"), ("4", "Anna"), ("2", "anna"), ("6", "Zoë")]
    {
        named(&site, id, name, Role::User).await;
    }
    let everybody = ids(&site, "").await;
    assert_eq!(everybody, ["2", "3", "4", "1", "5", "boss", "6"]);
    for limit in 1..=8 {
        let (mut read, mut query) = (Vec::new(), format!("limit={limit}"));
        loop {
            let page = site.get(&admin(), &format!("{USERS}?{query}")).await;
            let list = page.body.as_array().expect("a list").clone();
            assert!(!list.is_empty() && list.len() <= limit, "{query}");
            read.extend(list.iter().map(|user| user["hub_user_id"].as_str().expect("an id").to_owned()));
            let Some(next) = page.all_headers.get("x-next-cursor") else { break };
            query = format!("limit={limit}&cursor={}", next.to_str().expect("text"));
        }
        assert_eq!(read, everybody, "by {limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_can_be_combined() {
    let site = Site::start().await;
    site.homeserver.add_foreign_account(&matrix("carl"));
    for (id, role) in [
        ("anna", Role::Admin),
        ("bert", Role::User),
        ("carl", Role::User),
        ("dora", Role::Viewer),
        ("emil", Role::SuperAdmin),
    ] {
        named(&site, id, &format!("{id} Müller"), role).await;
    }
    provision(&site).await;
    signed_in(&site, "fritz").await;
    let enabled = Some(json!({ "enabled": true }));
    site.call(&admin(), &http::Method::POST, &path("bert", "/external-access"), enabled).await;
    for (query, expected) in [
        ("q=MULLER", "anna bert carl dora emil"),
        ("q=er", "anna bert carl dora emil"),
        ("q=RI", "fritz"),
        ("q=%25", ""),
        ("role=admin", "anna emil boss"),
        ("role=user", "bert carl fritz"),
        ("role=viewer&q=dora", "dora"),
        ("role=&account=&external=&q=&cursor=", "anna bert carl dora emil fritz boss"),
        ("external=true", "bert"),
        ("external=false&role=user", "carl fritz"),
        ("account=foreign", "carl"),
        ("account=pending", "fritz boss"),
        ("account=ours&role=user", "bert"),
    ] {
        let expected: Vec<_> = expected.split_whitespace().collect();
        assert_eq!(ids(&site, query).await, expected, "{query}");
    }
    let refused = shown(&site, "carl").await;
    assert_eq!(
        (&refused["account"], &refused["account_problem"]),
        (&json!("foreign"), &json!("matrix_account_taken"))
    );
    assert_eq!(refused["provisioned"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_filters_are_named() {
    let site = Site::start().await;
    for (query, pointer) in [
        ("role=boss", "?role"),
        ("account=mine", "?account"),
        ("external=yes", "?external"),
        ("cursor=xyz", "?cursor"),
        ("cursor=616263", "?cursor"),
        ("limit=501", "?limit"),
        ("limit=0", "?limit"),
    ] {
        let answer = site.get(&admin(), &format!("{USERS}?{query}")).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["pointer"]),
            (422, &Value::from(pointer)),
            "{query}"
        );
    }
}
