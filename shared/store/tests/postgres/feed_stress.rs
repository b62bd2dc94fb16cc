//! The event log under load: many writers, of which some stall before they commit and some lose their
//! connection. Every reader reads each event of its audience once and in order, and reconnects from its
//! cursor.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use messenger_core::{
    event::NewEvent,
    id::{Position, TenantId},
    port::Feed,
};
use messenger_devstack::database::run_in_stalling_transactions;
use messenger_testkit::log::{Committed, OnFailure, Reader, audiences, event, wire, write};

use crate::database::TestStore;

const WRITERS: usize = 16;
const EVENTS_EACH: usize = 150;
const READERS: usize = 4;

/// Appends in transactions that stall. Returns the events that were committed.
async fn stall(url: String, writer: usize) -> Vec<NewEvent> {
    let events: Vec<_> = (0..30).map(|n| event(writer, n)).collect();
    let wires: Vec<_> = events.iter().map(wire).collect();
    let committed = run_in_stalling_transactions(&url, "select append_events($1)", &wires).await;
    committed.expect("transactions").into_iter().map(|n| events[n].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_reads_each_event_of_its_audience_once_and_in_order() {
    let database = TestStore::create().await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = |milliseconds| Reader {
        is_complete: done.clone(),
        on_failure: OnFailure::Panic,
        patience: Duration::from_millis(milliseconds),
    };
    let readers: Vec<_> = (0..READERS)
        .map(|n| {
            let audience =
                audiences().into_iter().filter(|one| n == 0 || one.tenant() == TenantId(1)).take(n + 1);
            let audience: Vec<_> = audience.collect();
            (audience.clone(), tokio::spawn(reader(20).read(database.beside(), audience)))
        })
        .collect();
    let broker = tokio::spawn(reader(5).read_positions(database.beside()));
    let stores = [database.beside(), database.beside(), database.beside()];
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let store = stores[writer % 3].clone();
        writers.push(tokio::spawn(write(store, writer, EVENTS_EACH, Duration::ZERO)));
    }
    for writer in WRITERS..WRITERS + 3 {
        writers.push(tokio::spawn(stall(database.url().to_owned(), writer)));
    }
    let mut committed = Committed::default();
    for writer in writers {
        committed.add(writer.await.expect("the writer ends"));
    }
    done.store(true, Ordering::SeqCst);

    for (audience, reader) in readers {
        committed.check_read(&audience, &reader.await.expect("the reader ends"));
    }
    committed.check_positions(&broker.await.expect("the broker ends"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_several_processes_append_is_stored_once() {
    let database = TestStore::create().await;
    let added = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (store, added) = (database.beside(), added.clone());
            tokio::spawn(async move {
                for n in 0..50 {
                    let key = Some(messenger_core::id::EventId::new(format!("$event{n}")));
                    let one = NewEvent { key, ..event(0, n) };
                    added.fetch_add(store.append(&[one]).await.expect("an append"), Ordering::SeqCst);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("the writer ends");
    }
    assert_eq!(added.load(Ordering::SeqCst), 50);
    assert_eq!(database.beside().span().await.expect("a span").head, Position(50));
}
