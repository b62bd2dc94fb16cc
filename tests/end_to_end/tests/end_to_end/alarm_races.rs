//! An acknowledgement and the end of a fault at the same time, from two clients.

use futures::{StreamExt as _, stream};
use messenger_tests::{Client, Matrix, Reports, Stack, TestUser, eventually, rounds, sent};
use serde_json::{Value, json};

/// The number of rounds, and how many of them run at once.
const ROUNDS: usize = 48;
const AT_ONCE: usize = 6;
/// One of so many rounds comes from other Matrix clients.
const BY_MATRIX: usize = 4;

/// The clients of the races, at two processes.
struct Clients {
    satellite: Client,
    /// Anna reaches another process than Bert.
    anna: TestUser,
    bert: TestUser,
    element_of_anna: Matrix,
    element_of_bert: Matrix,
}

/// The order of the acts in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    AcknowledgedFirst,
    ResolvedFirst,
}

#[tokio::test]
async fn an_acknowledgement_and_a_resolution_at_once_end_in_one_of_their_two_orders() {
    let stack = Stack::start().await;
    let satellite = stack.client();
    let [anna, bert] = satellite.provisioned_users(["anna", "bert"]).await;
    let (copy, _service) = stack.start_copy("alarms").await;
    let anna = Client::new(&copy).user(&anna.id);
    let (element_of_anna, element_of_bert) = (stack.matrix("anna").await, stack.matrix("bert").await);
    let clients = Clients { satellite, anna, bert, element_of_anna, element_of_bert };
    let rounds = rounds(ROUNDS);
    let races = (0..rounds).map(|round| race(&clients, round));
    let orders: Vec<Order> = stream::iter(races).buffer_unordered(AT_ONCE).collect().await;
    let acknowledged = orders.iter().filter(|order| **order == Order::AcknowledgedFirst).count();
    println!("{acknowledged} of {rounds} were acknowledged first");
    assert_eq!(orders.len(), rounds);
}

/// Acknowledges and resolves a new alarm at the same time. Returns the order that its journal has.
async fn race(clients: &Clients, round: usize) -> Order {
    let reports = Reports::of(&clients.satellite, &format!("fault {round}"));
    let is_by_matrix = round.is_multiple_of(BY_MATRIX);
    let is_by_operator = round.is_multiple_of(2);
    let report = reports.send(&json!({})).await;
    let (id, report) =
        (report["alarm"]["id"].as_i64().expect("an id"), report["id"].as_i64().expect("an id"));
    let episode = json!({ "episode": 1 });
    if is_by_matrix {
        let (room, message) = sent(&clients.satellite, report).await;
        tokio::join!(
            clients.element_of_anna.react(&room, &message, "✅"),
            clients.element_of_bert.reply(&room, &message, "erledigt"),
        );
    } else if is_by_operator {
        let (acked, resolved) =
            tokio::join!(clients.anna.act(id, "ack", &episode), clients.bert.act(id, "resolve", &episode),);
        assert_eq!(resolved["changed"], true, "round {round}: {resolved}");
        assert_eq!(acked["alarm"]["episode"], 1, "round {round}: {acked}");
    } else {
        let (acked, resolved) = tokio::join!(clients.anna.act(id, "ack", &episode), reports.act("resolve"));
        assert_eq!(acked["changed"], true, "round {round}: {acked}");
        assert_ne!(resolved["status"], "ignored", "round {round}: {resolved}");
    }
    let journal = eventually(async || {
        let journal = clients.bert.journal(id).await;
        (journal.len() >= 3).then_some(journal)
    })
    .await;
    // Without a pause, the messages of thousands of rounds would wait in one room queue.
    sent(&clients.satellite, report).await;
    check(&clients.bert.alarm(id).await, &journal, is_by_operator)
}

/// Checks that state and journal agree with the table of states. Returns the order of the acts.
fn check(alarm: &Value, journal: &[Value], is_by_operator: bool) -> Order {
    let entries: Vec<_> = journal
        .iter()
        .map(|entry| ["cause", "outcome", "state"].map(|field| entry[field].as_str().expect("a text")))
        .collect();
    let order = match entries.as_slice() {
        [
            ["trigger", "applied", "active_unack"],
            ["acknowledge", "applied", "active_ack"],
            ["resolve", "applied", "normal"],
        ] => Order::AcknowledgedFirst,
        // The satellite's end leaves the alarm to be acknowledged, that of an operator does not.
        [
            ["trigger", "applied", "active_unack"],
            ["resolve", "applied", "rtn_unack"],
            ["acknowledge", "applied", "normal"],
        ] if !is_by_operator => Order::ResolvedFirst,
        [
            ["trigger", "applied", "active_unack"],
            ["resolve", "applied", "normal"],
            ["acknowledge", "ignored", "normal"],
        ] if is_by_operator => Order::ResolvedFirst,
        _ => unreachable!("{entries:?}"),
    };
    let acked_by = if order == Order::ResolvedFirst && is_by_operator { "bert" } else { "anna" };
    assert_eq!((&alarm["state"], &alarm["episode"]), (&json!("normal"), &json!(1)), "{alarm}");
    assert_eq!((&alarm["occurrences"], &alarm["closed_unseen"]), (&json!(1), &json!(false)), "{alarm}");
    assert_eq!(alarm["acked_by"]["hub_user_id"], acked_by, "{alarm}");
    assert!(alarm["cleared"].is_object() && alarm["ended_at"].is_string(), "{alarm}");
    order
}
