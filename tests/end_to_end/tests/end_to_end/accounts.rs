//! Accounts are created once with a user's first request, also under concurrent requests.

use std::time::Duration;

use futures::{StreamExt as _, future::join_all, stream};
use messenger_tests::{Plan, Stack};
use reqwest::StatusCode;
use serde_json::json;
use tokio::time::{Instant, sleep};

#[tokio::test]
async fn two_hundred_first_requests_create_one_user_with_one_account() {
    let stack = Stack::start().await;
    let user = stack.client().user("Müller_1");
    let responses = join_all((0..200).map(|_| user.get("/api/v1/users/me"))).await;
    let refused: Vec<_> = responses.iter().filter(|response| response.status != StatusCode::OK).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let matrix_id = format!("@_m=c3=bcller__1:{}", stack.server_name());
    assert_eq!(
        responses[0].body,
        json!({
            "hub_user_id": "Müller_1", "display_name": "Name von Müller_1", "matrix_user_id": matrix_id,
            "role": "user", "external_client_enabled": false,
        })
    );
    user.wait_until_provisioned().await;
    let matrix = stack.matrix("_m=c3=bcller__1").await;
    let rooms = matrix.rooms(1).await;
    assert_eq!(rooms.len(), 1, "the general room: {rooms:?}");
    let joins = matrix.events(&rooms[0]).await;
    let joins = joins
        .iter()
        .filter(|event| event["state_key"] == matrix_id.as_str() && event["content"]["membership"] == "join");
    assert_eq!(joins.count(), 1);
}

#[tokio::test]
async fn a_flood_of_first_sign_ins_delays_neither_another_tenant_nor_its_own_newest_user() {
    const FLOOD: usize = 300;
    let stack = Stack::start().await;
    let client = stack.client();
    let sign_in = async |id: String, tenant: i64| {
        let (user, begun) = (client.user_of_tenant(&id, tenant), Instant::now());
        // On a busy machine the database may be late for some requests.
        while user.get("/api/v1/users/me").await.status != StatusCode::OK {
            assert!(begun.elapsed() < Duration::from_mins(1), "{id} cannot sign in");
        }
    };
    stream::iter(0..FLOOD).for_each_concurrent(32, |n| sign_in(format!("flood{n}"), 1)).await;
    sign_in("bert".to_owned(), 2).await;
    sign_in("anna".to_owned(), 1).await;
    let due = "select count(*)::text from users where account_due is not null and hub_user_id like $1";
    let begun = Instant::now();
    for user in ["bert", "anna"] {
        while stack.query(due, user).await.as_deref() != Some("0") {
            assert!(begun.elapsed() < Duration::from_mins(2), "{user} has no account");
            sleep(Duration::from_millis(50)).await;
        }
    }
    let pending: usize = stack.query(due, "flood%").await.expect("a number").parse().expect("a number");
    assert!(pending > FLOOD / 4, "the flood comes last: {pending} are pending, after {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_user_can_sign_in_while_the_homeserver_is_down() {
    let stack = Stack::start_with(Plan { homeserver: false, ..Plan::default() }).await;
    let response = stack.client().user("mueller").get("/api/v1/users/me").await;
    assert_eq!(response.status, StatusCode::OK);
}

#[tokio::test]
async fn users_find_each_other_within_their_tenant() {
    let stack = Stack::start_with(Plan { homeserver: false, worker: false, ..Plan::default() }).await;
    let client = stack.client();
    for (id, tenant) in [("mueller", 1), ("schmidt", 1), ("émile", 1), ("spion", 2)] {
        assert_eq!(client.user_of_tenant(id, tenant).get("/api/v1/users/me").await.status, StatusCode::OK);
    }
    let found = client.user("mueller").get("/api/v1/users?q=NAME%20VON").await.body;
    let names: Vec<_> =
        found.as_array().expect("a list").iter().map(|user| user["hub_user_id"].clone()).collect();
    assert_eq!(names, ["émile", "schmidt"], "without the caller and without the other tenant");
    let found = client.user("mueller").get("/api/v1/users?q=EMI").await.body;
    assert_eq!(found[0]["display_name"], "Name von émile");
    assert!(found[0]["matrix_user_id"].as_str().is_some_and(|id| id.starts_with("@=c3=a9mile:")), "{found}");
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    let wrong = client.user("mueller").get("/api/v1/users?limit=0").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.body["errors"][0]["pointer"], "?limit");
}
