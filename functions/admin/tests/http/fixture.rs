//! The admin function on a database of its own.

use std::{sync::Arc, time::Duration};

use http::{Method, Request, header::AUTHORIZATION, request};
use messenger_core::{
    Messenger, Ports,
    id::RoomId,
    notification::{Draft, SendResult},
    port::AdminPorts,
    user::Caller,
};
use messenger_devstack::{TestDatabase, database::template};
use messenger_runtime::{
    App,
    testing::{EXPIRY, HUB_SECRET_KEY, TestResponse, Wire, config, signed},
};
use messenger_store::{PgStore, StoreConfig, migrate, schema};
use messenger_testkit::{MemoryHomeserver, TestClock, TransparentVault, fixtures};
use serde_json::{Value, json};
use tokio_postgres::Client;

/// The admin function, its database, and the homeserver that it uses.
pub(crate) struct Site {
    pub(crate) messenger: Messenger,
    pub(crate) homeserver: MemoryHomeserver,
    pub(crate) clock: TestClock,
    pub(crate) wire: Wire,
    database: TestDatabase,
}

impl Site {
    /// Starts the function on an empty database.
    pub(crate) async fn start() -> Self {
        let name = template("messenger", schema(), async |url: &str| Ok(migrate(url).await?)).await;
        let database = TestDatabase::create(Some(&name.expect("a template"))).await.expect("a database");
        let (homeserver, clock) = (MemoryHomeserver::default(), TestClock::default());
        let app = app(database.url(), &homeserver, &clock);
        let messenger = app.messenger.clone();
        Self { messenger, homeserver, clock, wire: Wire::of(messenger_admin::routes(), &app), database }
    }

    /// Starts another process on the same database and homeserver.
    pub(crate) fn beside(&self) -> App {
        app(self.database.url(), &self.homeserver, &self.clock)
    }

    /// Returns the use cases of another process.
    pub(crate) fn another_process(&self) -> Messenger {
        self.beside().messenger
    }

    /// Signs a user in and provisions their account.
    pub(crate) async fn ready(&self, user: &str) -> Caller {
        let user = self.messenger.users().sign_in(fixtures::identity(user)).await.expect("signed in");
        work(&self.messenger).await;
        Caller { user, expires_at: self.messenger.operations().now() + Duration::from_hours(1) }
    }

    /// Sends a notification through a process, and waits for its delivery.
    pub(crate) async fn notify(&self, messenger: &Messenger, draft: Draft) -> SendResult {
        let options = fixtures::waiting(Duration::from_secs(10));
        messenger.notifications().notify(fixtures::satellite(), draft, options).await.expect("accepted")
    }

    /// Sends a notification through a process, and leaves its delivery to a worker.
    pub(crate) async fn queue(&self, messenger: &Messenger, draft: Draft) -> SendResult {
        let options = fixtures::no_wait();
        messenger.notifications().notify(fixtures::satellite(), draft, options).await.expect("accepted")
    }

    /// Ingests all events of a room.
    pub(crate) async fn ingest(&self, messenger: &Messenger, room: &RoomId) {
        let events = self.homeserver.messages(room).into_iter();
        let events = events.map(|message| self.homeserver.room_event(room, &message.event)).collect();
        messenger.ingest().receive(events).await.expect("ingested");
    }

    /// Opens a connection to the database.
    pub(crate) async fn client(&self) -> Client {
        messenger_postgres::connect(self.database.url()).await.expect("a connection")
    }

    /// Returns a store of another process on the database.
    pub(crate) fn store(&self) -> PgStore {
        store(self.database.url())
    }

    /// Sends a request without a body.
    pub(crate) async fn ask(&self, request: request::Builder) -> TestResponse {
        self.wire.ask(request).await
    }

    /// Sends a request with a body.
    pub(crate) async fn send(&self, request: request::Builder, body: String) -> TestResponse {
        self.wire.call(request, body).await
    }

    /// Sends a `GET` with a token of the Hub.
    pub(crate) async fn get(&self, token: &str, path: &str) -> TestResponse {
        self.call(token, &Method::GET, path, None).await
    }

    /// Sends a request with a token of the Hub, and with a body if one is given.
    pub(crate) async fn call(
        &self,
        token: &str,
        method: &Method,
        path: &str,
        body: Option<Value>,
    ) -> TestResponse {
        let request =
            Request::builder().method(method).uri(path).header(AUTHORIZATION, format!("Bearer {token}"));
        match body {
            None => self.wire.ask(request).await,
            Some(body) => {
                self.wire.call(request.header("Content-Type", "application/json"), body.to_string()).await
            }
        }
    }
}

/// Returns a token of the Hub for a user with this role in a tenant.
pub(crate) fn token(user: &str, role: &str, tenant: i64) -> String {
    let claims = json!({
        "sub": user, "role": role, "tenant_id": tenant, "display_name": format!("Name von {user}"),
        "iss": "aesystek-hub", "exp": EXPIRY,
    });
    signed(&claims, HUB_SECRET_KEY)
}

/// Does all work of a worker that is due.
pub(crate) async fn work(messenger: &Messenger) {
    while messenger.provisioning().provision_due().await.expect("accounts are read") > 0 {}
    while messenger.rooms().leave_due().await.expect("pending leaves are read") > 0 {}
    while messenger.closures().close_due().await.expect("closed rooms are read") > 0 {}
    while messenger.delivery().deliver_due().await.expect("the outbox is read") {}
}

fn app(url: &str, homeserver: &MemoryHomeserver, clock: &TestClock) -> App {
    let store = Arc::new(store(url));
    let ports = Ports::new(
        store.clone(),
        Arc::new(homeserver.clone()),
        Arc::new(homeserver.clone()),
        Arc::new(TransparentVault),
        Arc::new(clock.clone()),
    );
    App::with(&ports, config(&[])).administered(&AdminPorts::new(store))
}

fn store(url: &str) -> PgStore {
    let (database_url, connect_wait) = (url.to_owned(), Duration::from_secs(30));
    PgStore::new(&StoreConfig { database_url, listen_url: None, pool_size: 8, connect_wait })
        .expect("a store")
}
