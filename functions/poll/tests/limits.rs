//! The limit of a user's waiting polls, on the wire.

use std::time::Duration;

use axum::http::Request;
use messenger_poll::routes;
use messenger_runtime::testing::{Wire, token};
use messenger_testkit::{fixtures, messenger};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_user_has_a_limit_of_waiting_polls_and_others_do_not_count() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let wire = Wire::configured(routes(), &messenger, &[("LIMIT_POLLS_PER_USER", "2")]);
    let request = |user: &str, query: &str| {
        Request::get(format!("/api/v1/events/poll?token={}&cursor=0{query}", token(user)))
    };
    let waiting = async {
        tokio::join!(
            wire.ask(request("mueller", "&wait=20")),
            wire.ask(request("mueller", "&wait=20")),
            async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                let refused = wire.ask(request("mueller", "&wait=20")).await;
                assert_eq!((refused.status, &refused.body["code"]), (429, &json!("rate_limited")));
                assert_eq!(refused.all_headers["retry-after"], "10");
                assert_eq!(wire.ask(request("mueller", "")).await.status, 200, "it does not wait");
                assert_eq!(wire.ask(request("mueller", "&wait=0")).await.status, 200);
                assert_eq!(wire.ask(request("schmidt", "&wait=0.01")).await.status, 200);
                messenger.send(fixtures::draft("an alarm"), Duration::ZERO).await;
            }
        )
    };
    let (first, second, ()) = waiting.await;
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(wire.ask(request("mueller", "&wait=1")).await.status, 200, "who was answered waits no more");
}
