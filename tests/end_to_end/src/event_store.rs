//! The event store of a service that a test starts.

use messenger_devstack::{dynoxide, environment::setting};
use uuid::Uuid;

use crate::{Client, Plan, wait_until};

/// The environment variable with the event store of all services that tests start: `dynamodb`, or nothing.
const VARIABLE: &str = "MESSENGER_TEST_EVENT_STORE";

/// Returns the variables of a service whose streams and polls read a new table of DynamoDB.
pub fn dynamodb() -> Vec<(String, String)> {
    let variables = [
        ("EVENT_STORE", "dynamodb".to_owned()),
        ("FEED_TABLE", format!("feed_{}", Uuid::new_v4().simple())),
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynoxide::shared().expect("Dynoxide")),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// Returns the variables of the event store of a plan. Without a worker nothing would be copied.
pub(crate) fn of_plan(plan: &Plan) -> Vec<(String, String)> {
    let is_dynamodb = setting(VARIABLE).is_some_and(|store| store == "dynamodb");
    if is_dynamodb && plan.worker { dynamodb() } else { Vec::new() }
}

/// Waits until the copy of a new service is complete: before that its streams and polls are refused.
pub async fn until_copied(client: &Client) {
    wait_until("the copy of the event log is complete", async || {
        let ready = client.get("/readyz").await.body;
        let parts = ready["parts"].as_array().cloned().unwrap_or_default();
        parts.iter().any(|part| part["part"] == "copy" && part["ready"] == true)
    })
    .await;
}
