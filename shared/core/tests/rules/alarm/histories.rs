//! Random histories of an alarm in the whole service. Its process ends at any call of a port, and starts again.

use std::collections::BTreeMap;

use messenger_core::{
    alarm::{
        AckRule, ActKind, Action, AlarmAct, AlarmKey, Expected, Input, InputSource, JournalCause,
        JournalQuery, NewAlarmInput, Trigger,
    },
    id::{EventId, MatrixUserId, NotificationId, RoomId},
    notification::{LogQuery, Priority, Status},
    port::LoadedAlarm,
    rendering::alarm::{ALARM_MARKER, AlarmMessage},
    user::Caller,
};
use messenger_testkit::{
    Message, TestMessenger,
    fixtures::{self, TENANT},
    messenger,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ACK_EXPIRES_AFTER, MINUTE, START, from_matrix, operator, properties::model::Model};
use crate::{NO_WAIT, ready_caller, run_until_idle};

const KEY: &str = "press-7";

/// An act, and the number of steps after which the process ends during it.
#[derive(Debug, Clone)]
struct Moment {
    act: Act,
    crash: Option<usize>,
}

#[derive(Debug, Clone)]
enum Act {
    /// A report of the satellite, by whose clock it is so many minutes old.
    Report {
        action: Reported,
        age: Option<u32>,
    },
    Operator(ActKind),
    /// A reaction to the root message of the newest episode, or of the one before.
    Reaction {
        of_older: bool,
    },
    Reply {
        text: &'static str,
        of_older: bool,
    },
    Work,
    Wait {
        minutes: u32,
    },
    Homeserver {
        is_on: bool,
    },
}

#[derive(Debug, Clone)]
enum Reported {
    Trigger { priority: Priority, is_required: bool, resolve_after: Option<u32> },
    Action(Action),
}

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let crash = prop::option::weighted(0.4, 0..40usize);
    prop::collection::vec((act(), crash).prop_map(|(act, crash)| Moment { act, crash }), 1..25)
}

fn act() -> impl Strategy<Value = Act> {
    let priority = prop::sample::select(Priority::ALL.to_vec());
    let trigger = (priority, prop::bool::weighted(0.8), prop::option::weighted(0.2, 1..60u32));
    let reported = prop_oneof![
        5 => trigger.prop_map(|(priority, is_required, resolve_after)| {
            Reported::Trigger { priority, is_required, resolve_after }
        }),
        3 => prop::sample::select(vec![Action::Acknowledge, Action::Resolve, Action::Cancel])
            .prop_map(Reported::Action),
    ];
    let kinds = [ActKind::Acknowledge, ActKind::Unacknowledge, ActKind::Resolve, ActKind::Comment];
    let texts = vec!["quittiert", "erledigt", "Ich schaue nach"];
    let of_older = prop::bool::weighted(0.2);
    prop_oneof![
        6 => (reported, prop::option::weighted(0.3, 0..3u32)).prop_map(|(action, age)| Act::Report { action, age }),
        2 => prop::sample::select(kinds.to_vec()).prop_map(Act::Operator),
        2 => of_older.prop_map(|of_older| Act::Reaction { of_older }),
        1 => (prop::sample::select(texts), of_older).prop_map(|(text, of_older)| Act::Reply { text, of_older }),
        5 => Just(Act::Work),
        3 => prop_oneof![4 => 1..5u32, 2 => 16..60u32, 1 => 1400..1600u32]
            .prop_map(|minutes| Act::Wait { minutes }),
        1 => any::<bool>().prop_map(|is_on| Act::Homeserver { is_on }),
    ]
}

/// A history so far: the present process, and the model of the alarm.
struct History {
    process: TestMessenger,
    anna: Caller,
    model: Model,
    /// The number of events of the room that the homeserver has pushed.
    pushed: usize,
    /// Whether the homeserver is there: otherwise other clients send nothing.
    is_on: bool,
}

impl History {
    async fn begin() -> Self {
        let process = messenger().build();
        process.pass(START.duration_since(process.memory.now()).unsigned_abs());
        let anna = ready_caller(&process, "anna").await;
        Self { process, anna, model: Model::new(), pushed: 0, is_on: true }
    }

    async fn add(&mut self, moment: &Moment) {
        self.model.advance(self.process.memory.now());
        match &moment.act {
            Act::Report { action, age } => Box::pin(self.report(action, *age, moment.crash)).await,
            Act::Operator(kind) => self.act(*kind, moment.crash).await,
            Act::Reaction { of_older } => {
                let content = |root: &EventId| json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": root, "key": "✅" } });
                self.act_from_matrix(*of_older, "m.reaction", content, Action::Acknowledge, moment.crash)
                    .await;
            }
            Act::Reply { text, of_older } => {
                let action = match *text {
                    "quittiert" => Action::Acknowledge,
                    "erledigt" => Action::Resolve,
                    _ => Action::Comment,
                };
                let content = |root: &EventId| {
                    let relation = json!({ "m.in_reply_to": { "event_id": root } });
                    json!({ "msgtype": "m.text", "body": text, "m.relates_to": relation })
                };
                self.act_from_matrix(*of_older, "m.room.message", content, action, moment.crash).await;
            }
            Act::Work => {
                let process = self.process.clone();
                self.run(moment.crash, process.work()).await;
            }
            Act::Wait { minutes } => self.process.pass(MINUTE * *minutes),
            Act::Homeserver { is_on } => {
                self.is_on = *is_on;
                if *is_on {
                    self.process.homeserver.switch_on();
                } else {
                    self.process.homeserver.switch_off();
                }
            }
        }
    }

    /// Runs a call of the process. If it ends meanwhile, another process replaces it. Returns whether it ended.
    async fn run<T>(&mut self, crash: Option<usize>, call: impl Future<Output = T>) -> bool {
        let Some(steps) = crash else {
            call.await;
            return false;
        };
        let has_ended = self.process.clone().crash_after(steps, call).await.is_none();
        if has_ended {
            self.process = self.process.another_process();
        }
        has_ended
    }

    async fn report(&mut self, reported: &Reported, age: Option<u32>, crash: Option<usize>) {
        let (now, before) = (self.process.memory.now(), self.logged().await.len());
        let mut draft = fixtures::draft(&format!("text {before}"));
        let action = match reported {
            Reported::Action(action) => action.clone(),
            Reported::Trigger { priority, is_required, resolve_after } => {
                draft.priority = *priority;
                let ack =
                    AckRule { is_required: *is_required, expires_after: Some(MINUTE * ACK_EXPIRES_AFTER) };
                let resolve_after = resolve_after.map(|minutes| MINUTE * minutes);
                Action::Trigger(Trigger { draft: draft.clone(), ack, resolve_after })
            }
        };
        let occurred_at = age.map(|age| now - MINUTE * age);
        let input = NewAlarmInput { dedup_key: Some(KEY.to_owned()), action: action.clone(), occurred_at };
        let process = self.process.clone();
        let call =
            process.notifications().report(fixtures::satellite(), draft, input, fixtures::waiting(NO_WAIT));
        Box::pin(self.run(crash, call)).await;
        if self.logged().await.len() > before {
            let source = InputSource::Satellite(NotificationId(0));
            self.apply(source, action, occurred_at, None);
        }
    }

    async fn act(&mut self, kind: ActKind, crash: Option<usize>) {
        let (id, before) = (self.load().await.alarm.id, self.acts().await);
        let (process, anna) = (self.process.clone(), self.anna.clone());
        let act = AlarmAct { kind, expected: Expected::default(), comment: None };
        self.run(crash, process.alarms().act(&anna, id, act)).await;
        if self.acts().await > before {
            let action = match kind {
                ActKind::Acknowledge => Action::Acknowledge,
                ActKind::Unacknowledge => Action::Unacknowledge,
                ActKind::Resolve => Action::Resolve,
                ActKind::Comment => Action::Comment,
            };
            self.apply(InputSource::Api(operator("anna")), action, None, None);
        }
    }

    /// Acts with another Matrix client. The homeserver pushes its event until it is answered, together with all
    /// events before it.
    async fn act_from_matrix(
        &mut self,
        of_older: bool,
        kind: &str,
        content: impl Fn(&EventId) -> Value,
        action: Action,
        crash: Option<usize>,
    ) {
        if !self.is_on {
            return;
        }
        let roots = self.roots();
        let Some((episode, messages)) = roots.iter().rev().nth(usize::from(of_older)) else { return };
        let anna = MatrixUserId::new("@anna:hub.local");
        let room = self.room().expect("a root message is in a room");
        self.process.homeserver.send_event(&room, &anna, kind, content(&messages[0].event));
        self.push(crash).await;
        self.apply(from_matrix("anna", "$1"), action, None, Some(*episode));
    }

    /// Pushes the events of the room that were not pushed before.
    async fn push(&mut self, crash: Option<usize>) {
        let Some(room) = self.room() else { return };
        let messages = self.process.homeserver.messages(&room);
        let is_read = |message: &&Message| ["m.room.message", "m.reaction"].contains(&message.kind.as_str());
        let events: Vec<_> = messages[self.pushed..]
            .iter()
            .filter(is_read)
            .map(|message| self.process.homeserver.room_event(&room, &message.event))
            .collect();
        let process = self.process.clone();
        let receive = async { process.ingest().receive(events.clone()).await.expect("ingested") };
        if self.run(crash, receive).await {
            self.process.ingest().receive(events).await.expect("ingested");
        }
        self.pushed = messages.len();
    }

    fn apply(
        &mut self,
        source: InputSource,
        action: Action,
        occurred_at: Option<jiff::Timestamp>,
        episode: Option<i64>,
    ) {
        let expected = Expected { episode, revision: None };
        let received_at = self.process.memory.now();
        self.model.apply(&Input {
            id: None,
            received_at,
            source,
            action,
            occurred_at,
            expected,
            comment: None,
        });
    }

    async fn load(&self) -> LoadedAlarm {
        let (tenant, source_app) = (TENANT, fixtures::draft("").source_app);
        let key = AlarmKey { tenant, source_app, dedup_key: KEY.to_owned() };
        self.process.ports.alarms.load(&[key]).await.expect("loaded").remove(0)
    }

    /// Returns the reports in the log.
    async fn logged(&self) -> Vec<(NotificationId, Status)> {
        let query = LogQuery { source_app: None, limit: 1000, offset: 0 };
        let logged = self.process.ports.notifications.log(TENANT, &query).await.expect("read");
        logged.into_iter().map(|notification| (notification.id, notification.status)).collect()
    }

    /// Returns the causes in the journal, oldest first.
    async fn journal(&self) -> Vec<JournalCause> {
        let query = JournalQuery { before: None, limit: 1000 };
        let id = self.load().await.alarm.id;
        let page = self.process.ports.alarms.journal(TENANT, id, &query).await.expect("read");
        page.into_iter().flat_map(|page| page.entries.into_iter().rev()).map(|entry| entry.cause).collect()
    }

    /// Returns the number of acts through this service that are in the journal.
    async fn acts(&self) -> usize {
        let is_act =
            |cause: &JournalCause| matches!(cause, JournalCause::Input { source: InputSource::Api(_), .. });
        self.journal().await.iter().filter(|cause| is_act(cause)).count()
    }

    fn room(&self) -> Option<RoomId> {
        self.process.homeserver.rooms().into_iter().next()
    }

    fn messages(&self) -> Vec<Message> {
        self.room().map(|room| self.process.homeserver.messages(&room)).unwrap_or_default()
    }

    /// Returns the root messages of each episode.
    fn roots(&self) -> BTreeMap<i64, Vec<Message>> {
        let mut roots = BTreeMap::<_, Vec<Message>>::new();
        for message in self.messages() {
            let episode = message.content[ALARM_MARKER]["episode"].as_i64();
            if let Some(episode) = episode.filter(|_| message.content["m.relates_to"].is_null()) {
                roots.entry(episode).or_default().push(message);
            }
        }
        roots
    }

    /// Lets all work be done, and checks the alarm with the model.
    async fn check(mut self) {
        self.process.homeserver.switch_on();
        self.push(None).await;
        run_until_idle(&self.process).await;
        self.model.advance(self.process.memory.now());
        let loaded = self.load().await;
        assert_eq!(loaded.inputs, [], "nothing waits");
        self.model.check(&loaded.alarm);

        let logged = self.logged().await;
        let mut reported: Vec<_> = logged.iter().map(|(id, _)| *id).collect();
        reported.reverse();
        let is_done = |status: &Status| matches!(status, Status::Sent | Status::Ignored);
        assert!(logged.iter().all(|(_, status)| is_done(status)), "{logged:?}");
        let journal = self.journal().await;
        let journaled: Vec<_> = journal
            .iter()
            .filter_map(|cause| match cause {
                JournalCause::Input { source, .. } => source.notification(),
                JournalCause::Deadline(_) => None,
            })
            .collect();
        assert_eq!(journaled, reported, "each report is journaled once, in its order");

        let Some(episode) = &loaded.alarm.episode else { return };
        let roots = self.roots();
        let numbers: Vec<_> = roots.iter().map(|(number, roots)| (*number, roots.len())).collect();
        let expected: Vec<_> = (1..=episode.number).map(|number| (number, 1)).collect();
        assert_eq!(numbers, expected, "one root message for each episode");
        let root = &roots[&episode.number][0];
        let time_zone = &self.process.settings().time_zone;
        let state = AlarmMessage { alarm: loaded.alarm.id, episode, time_zone, recipient: None }.root();
        let is_edit = |message: &Message| {
            let relation = &message.content["m.relates_to"];
            relation["rel_type"] == "m.replace" && relation["event_id"] == json!(root.event)
        };
        let shown = self.messages().into_iter().rev().find(is_edit);
        let shown = shown.map_or(root.content.clone(), |edit| edit.content["m.new_content"].clone());
        assert_eq!(shown, state, "the root message shows the state");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// I4, I5, I7, I8 and I9, with a crash at any call of a port.
    #[test]
    fn histories_with_crashes_agree_with_a_naive_model(moments in moments()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let mut history = History::begin().await;
            for moment in &moments {
                Box::pin(history.add(moment)).await;
            }
            Box::pin(history.check()).await;
        });
    }
}
