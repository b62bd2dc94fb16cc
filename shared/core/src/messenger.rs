//! The application: builds the engines from the ports and hands them out.
//!
//! An engine is a set of use cases that owns its ports and its state.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::{
    app::{
        accounts::Accounts,
        alarms::Alarms,
        authorization::Authorization,
        closures::Closures,
        delivery::Delivery,
        external_clients::ExternalClients,
        history::HistoryReader,
        inbox::Inbox,
        media::Media,
        messages::Messages,
        notifications::Notifications,
        onboarding::Onboarding,
        operations::Operations,
        reactions::Reactions,
        room_registry::RoomRegistry,
        rooms::{self, Rooms},
        search::Search,
        streams::Streams,
        transaction_ids::TransactionIds,
        user_directory::UserDirectory,
    },
    domain::{matrix_ids::MatrixIds, settings::MessengerSettings},
    live::{broker::Broker, echoes::Echoes, follow_ups::FollowUps},
    port::Ports,
    sync::{
        adopt::{self, Adopt},
        backfill::Backfill,
        bot_notices::BotNotices,
        catch_up::CatchUp,
        discovery::Discovery,
        encryption::Encryption,
        ingest::{self, Ingest},
        invitations::Invitations,
        pages::Pages,
        pending_echoes::PendingEchoes,
        provisioning::Provisioning,
        push::Push,
        quarantine::RoomFailures,
        receipts::Receipts,
        reconcile::{self, Reconcile},
        typing::TypingUpdates,
        upgrades::Upgrades,
    },
};

/// The engines of one process. Cheap to clone.
#[derive(Clone)]
pub struct Messenger(Arc<Engines>);

struct Engines {
    settings: Arc<MessengerSettings>,
    ids: Arc<MatrixIds>,
    broker: Arc<Broker>,
    echoes: Arc<Echoes>,
    background: TaskTracker,
    users: Arc<UserDirectory>,
    notifications: Arc<Notifications>,
    alarms: Arc<Alarms>,
    inbox: Arc<Inbox>,
    delivery: Arc<Delivery>,
    authorization: Arc<Authorization>,
    closures: Arc<Closures>,
    registry: Arc<RoomRegistry>,
    rooms: Arc<Rooms>,
    messages: Arc<Messages>,
    reactions: Arc<Reactions>,
    history: Arc<HistoryReader>,
    media: Arc<Media>,
    search: Arc<Search>,
    streams: Arc<Streams>,
    external_clients: Arc<ExternalClients>,
    operations: Arc<Operations>,
    provisioning: Arc<Provisioning>,
    ingest: Arc<Ingest>,
    push: Arc<Push>,
    typing: Arc<TypingUpdates>,
    receipts: Arc<Receipts>,
    reconcile: Arc<Reconcile>,
    discovery: Arc<Discovery>,
}

impl Messenger {
    /// Builds the engines. Does no I/O.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    #[expect(clippy::too_many_lines, reason = "it builds each engine once")]
    pub fn new(ports: &Ports, settings: MessengerSettings) -> Self {
        let ids = Arc::new(MatrixIds::new(&settings));
        let settings = Arc::new(settings);
        let background = TaskTracker::new();
        let (follow_ups, queue) = FollowUps::new(&background);
        let echoes = Arc::new(Echoes::new());
        let broker =
            Arc::new(Broker::new(ports.feed.clone(), ports.ephemeral_bus.clone(), ports.clock.clone()));

        let users = Arc::new(UserDirectory::new(ports, &ids));
        let accounts = Arc::new(Accounts::new(ports, &ids));
        let closures = Arc::new(Closures::new(ports, &background));
        let registry = Arc::new(RoomRegistry::new(ports, &accounts, &closures, &ids, &settings, &follow_ups));
        let onboarding = Arc::new(Onboarding::new(ports, &accounts, &registry, &ids));
        let authorization = Arc::new(Authorization::new(ports, &ids));
        let transactions = Arc::new(TransactionIds::new(ports));
        let delivery = Arc::new(Delivery::new(ports, &registry, &transactions, &ids, &settings, &background));
        let alarms = Arc::new(Alarms::new(ports, &registry));
        let notifications = Arc::new(Notifications::new(ports, &registry, &delivery, &alarms));
        let room_parts = rooms::Parts {
            registry: &registry,
            onboarding: &onboarding,
            authorization: &authorization,
            directory: &users,
        };
        let rooms = Arc::new(Rooms::new(ports, &room_parts, &ids, &echoes, &follow_ups, &background));
        let messages =
            Arc::new(Messages::new(ports, &authorization, &transactions, &ids, &echoes, &follow_ups));
        let history = Arc::new(HistoryReader::new(ports, &registry, &authorization, &users, &ids));
        let media = Arc::new(Media::new(ports, &messages, &authorization, &ids, &echoes));

        let search = Arc::new(Search::new(ports, &users));

        let failures = Arc::new(RoomFailures::new(ports));
        let backfill = Arc::new(Backfill::new(ports));
        let invitations = Arc::new(Invitations::new(ports, &users, &ids, &failures));
        let notices = Arc::new(BotNotices::new(ports, &transactions));
        let encryption = Arc::new(Encryption::new(ports, &registry, &rooms, &users, &notices, &ids));
        let upgrades = Arc::new(Upgrades::new(ports, &registry, &users, &backfill, &ids));
        let adopt_parts = adopt::Parts {
            directory: &users,
            encryption: &encryption,
            upgrades: &upgrades,
            invitations: &invitations,
            backfill: &backfill,
            failures: &failures,
        };
        let adopt = Arc::new(Adopt::new(ports, &adopt_parts, &ids));
        let ingest_parts = ingest::Parts {
            adopt: &adopt,
            upgrades: &upgrades,
            encryption: &encryption,
            notices: &notices,
            invitations: &invitations,
            failures: &failures,
            registry: &registry,
            directory: &users,
            sent_messages: &messages,
        };
        let ingest = Arc::new(Ingest::new(ports, &ingest_parts, &echoes, &ids));
        let pages = Arc::new(Pages::new(ports));
        let catch_up = Arc::new(CatchUp::new(ports, &ingest, &pages));
        let push = Arc::new(Push::new(ports, &ingest, &catch_up, &registry, &ids));
        let typing = Arc::new(TypingUpdates::new(ports, &registry, &users, &ids));
        let receipts = Arc::new(Receipts::new(ports, &ids, &background));
        let reconcile_parts = reconcile::Parts {
            ingest: &ingest,
            pages: &pages,
            typing: &typing,
            receipts: &receipts,
            failures: &failures,
        };
        let reconcile = Arc::new(Reconcile::new(ports, &reconcile_parts, &ids));
        let provisioning =
            Arc::new(Provisioning::new(ports, &onboarding, &registry, &ingest, &invitations, &ids));
        let pending = Arc::new(PendingEchoes::new(ports, &ingest, &catch_up, &backfill, &push, &echoes));
        tokio::spawn(pending.run(queue));

        Self(Arc::new(Engines {
            reactions: Arc::new(Reactions::new(ports, &messages, &authorization, &transactions, &ids)),
            streams: Arc::new(Streams::new(ports, &broker, &users, &settings)),
            external_clients: Arc::new(ExternalClients::new(ports, &onboarding, &ids, &settings)),
            discovery: Arc::new(Discovery::new(ports, &ingest, &ids)),
            settings,
            ids,
            broker,
            echoes,
            background,
            users,
            notifications,
            alarms,
            inbox: Arc::new(Inbox::new(ports, &delivery)),
            delivery,
            authorization,
            closures,
            registry,
            rooms,
            messages,
            history,
            media,
            search,
            operations: Arc::new(Operations::new(ports)),
            provisioning,
            ingest,
            push,
            typing,
            receipts,
            reconcile,
        }))
    }

    /// Returns the settings.
    pub fn settings(&self) -> &MessengerSettings {
        &self.0.settings
    }

    /// Returns the Matrix ids of users and of the bot.
    pub fn ids(&self) -> &Arc<MatrixIds> {
        &self.0.ids
    }

    /// Returns the broker of the event log in this process.
    pub fn broker(&self) -> &Arc<Broker> {
        &self.0.broker
    }

    /// Returns the local echoes: messages of this process that are not ingested yet.
    pub fn echoes(&self) -> &Echoes {
        &self.0.echoes
    }

    /// Returns the engine that signs users in and finds them.
    pub fn users(&self) -> &Arc<UserDirectory> {
        &self.0.users
    }

    /// Returns the engine for notifications of satellites.
    pub fn notifications(&self) -> &Arc<Notifications> {
        &self.0.notifications
    }

    /// Returns the engine for alarms.
    pub fn alarms(&self) -> &Arc<Alarms> {
        &self.0.alarms
    }

    /// Returns the engine for the inboxes of users.
    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.0.inbox
    }

    /// Returns the engine that delivers notifications.
    pub fn delivery(&self) -> &Arc<Delivery> {
        &self.0.delivery
    }

    /// Returns the engine that checks the rights of a caller in a room.
    pub fn authorization(&self) -> &Arc<Authorization> {
        &self.0.authorization
    }

    /// Returns the engine that closes rooms on the homeserver.
    pub fn closures(&self) -> &Arc<Closures> {
        &self.0.closures
    }

    /// Returns the engine that finds and creates rooms by their keys.
    pub fn registry(&self) -> &Arc<RoomRegistry> {
        &self.0.registry
    }

    /// Returns the engine for rooms as users see and change them.
    pub fn rooms(&self) -> &Arc<Rooms> {
        &self.0.rooms
    }

    /// Returns the engine that sends, edits and redacts messages of users.
    pub fn messages(&self) -> &Arc<Messages> {
        &self.0.messages
    }

    /// Returns the engine that adds and removes reactions.
    pub fn reactions(&self) -> &Arc<Reactions> {
        &self.0.reactions
    }

    /// Returns the engine that reads the history of rooms.
    pub fn history(&self) -> &Arc<HistoryReader> {
        &self.0.history
    }

    /// Returns the engine that searches messages.
    pub fn search(&self) -> &Arc<Search> {
        &self.0.search
    }

    /// Returns the engine for files.
    pub fn media(&self) -> &Arc<Media> {
        &self.0.media
    }

    /// Returns the engine for event streams and polls.
    pub fn streams(&self) -> &Arc<Streams> {
        &self.0.streams
    }

    /// Returns the engine for credentials of other Matrix clients.
    pub fn external_clients(&self) -> &Arc<ExternalClients> {
        &self.0.external_clients
    }

    /// Returns the engine for health checks and maintenance.
    pub fn operations(&self) -> &Arc<Operations> {
        &self.0.operations
    }

    /// Returns the engine that provisions users.
    pub fn provisioning(&self) -> &Arc<Provisioning> {
        &self.0.provisioning
    }

    /// Returns the engine that ingests events of rooms.
    pub fn ingest(&self) -> &Arc<Ingest> {
        &self.0.ingest
    }

    /// Returns the engine that ingests transactions pushed by the homeserver.
    pub fn push(&self) -> &Arc<Push> {
        &self.0.push
    }

    /// Returns the engine that publishes typing notifications of the homeserver.
    pub fn typing(&self) -> &Arc<TypingUpdates> {
        &self.0.typing
    }

    /// Returns the engine that stores read receipts of the homeserver.
    pub fn receipts(&self) -> &Arc<Receipts> {
        &self.0.receipts
    }

    /// Returns the engine that reads the bot's `/sync`.
    pub fn reconcile(&self) -> &Arc<Reconcile> {
        &self.0.reconcile
    }

    /// Returns the engine that finds rooms which push did not bring.
    pub fn discovery(&self) -> &Arc<Discovery> {
        &self.0.discovery
    }

    /// Waits for work that continues after its caller was answered. Call this before the process ends.
    pub async fn drain_background(&self) {
        self.0.background.close();
        self.0.background.wait().await;
    }
}
