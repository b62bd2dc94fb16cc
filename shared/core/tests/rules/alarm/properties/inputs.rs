//! Random inputs of an alarm. All times are whole minutes.

use jiff::Timestamp;
use messenger_core::{
    alarm::{AckRule, Action, Expected, Input, InputSource, Trigger},
    notification::{Draft, Priority},
};
use messenger_testkit::fixtures;
use proptest::prelude::*;

use super::{
    super::{ACK_EXPIRES_AFTER, MINUTE, Site, from_matrix, operator},
    model::Model,
};

/// The first letters of a text for one user.
pub(super) const PRIVATE: &str = "private";
/// The first letters of a text for everybody.
pub(super) const PUBLIC: &str = "public";

/// An input, relative to those before it.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// The minutes since the input before.
    after: u32,
    act: Act,
    /// The minutes by which `occurred_at` is older than the input; `None` to leave it out.
    age: Option<u32>,
    /// The number of episodes by which the expected one is older; `None` to expect none.
    older_by: Option<i64>,
}

#[derive(Debug, Clone)]
enum Act {
    Trigger { priority: Priority, is_required: bool, resolve_after: Option<u32>, is_private: bool },
    Update { is_private: bool },
    Satellite(Action),
    Operator(Action),
}

/// Returns some inputs.
pub(super) fn events() -> impl Strategy<Value = Vec<Event>> {
    let after = prop_oneof![5 => 0..3u32, 3 => 3..40u32, 1 => 1000..1600u32];
    let age = prop::option::weighted(0.4, 0..10u32);
    let older_by = prop::option::weighted(0.3, prop_oneof![3 => Just(0i64), 1 => Just(1i64)]);
    let event = (after, act(), age, older_by).prop_map(|(after, act, age, older_by)| Event {
        after,
        act,
        age,
        older_by,
    });
    prop::collection::vec(event, 1..30)
}

fn act() -> impl Strategy<Value = Act> {
    let priority = prop::sample::select(Priority::ALL.to_vec());
    let resolve_after = prop::option::weighted(0.3, 1..120u32);
    let trigger = (priority, prop::bool::weighted(0.8), resolve_after, prop::bool::weighted(0.1));
    let satellite = prop::sample::select(vec![Action::Acknowledge, Action::Resolve, Action::Cancel]);
    let operator = prop::sample::select(vec![
        Action::Acknowledge,
        Action::Acknowledge,
        Action::Unacknowledge,
        Action::Resolve,
        Action::Comment,
    ]);
    prop_oneof![
        6 => trigger.prop_map(|(priority, is_required, resolve_after, is_private)| {
            Act::Trigger { priority, is_required, resolve_after, is_private }
        }),
        1 => any::<bool>().prop_map(|is_private| Act::Update { is_private }),
        4 => satellite.prop_map(Act::Satellite),
        4 => operator.prop_map(Act::Operator),
    ]
}

/// Makes the inputs. Returns them with the model after them, and a time two days later.
pub(super) fn inputs(events: &[Event]) -> (Vec<Input>, Model, Timestamp) {
    let mut site = Site::new();
    let mut model = Model::new();
    let inputs = events.iter().map(|event| {
        site.now += MINUTE * event.after;
        model.advance(site.now);
        let input = input(&mut site, event, model.episode);
        model.apply(&input);
        input
    });
    let inputs = inputs.collect();
    let end = site.now + MINUTE * 48 * 60;
    model.advance(end);
    (inputs, model, end)
}

fn input(site: &mut Site, event: &Event, episode: i64) -> Input {
    let number = site.inputs;
    match &event.act {
        Act::Operator(action) => {
            let source = match action {
                Action::Acknowledge => from_matrix("Max", "$1"),
                _ => InputSource::Api(operator("Max")),
            };
            let mut input = site.input(source, action.clone());
            input.expected.episode = event.older_by.map(|older_by| episode - older_by);
            input
        }
        Act::Satellite(action) => aged(site.by_satellite(action.clone()), event.age),
        Act::Update { is_private } => {
            let update = Action::Update(draft(number, Priority::Low, *is_private));
            aged(site.by_satellite(update), event.age)
        }
        Act::Trigger { priority, is_required, resolve_after, is_private } => {
            let minutes = |minutes: u32| MINUTE * minutes;
            let trigger = Trigger {
                draft: draft(number, *priority, *is_private),
                ack: AckRule { is_required: *is_required, expires_after: Some(minutes(ACK_EXPIRES_AFTER)) },
                resolve_after: resolve_after.map(minutes),
            };
            aged(site.by_satellite(Action::Trigger(trigger)), event.age)
        }
    }
}

fn aged(input: Input, age: Option<u32>) -> Input {
    let occurred_at = age.map(|age| input.received_at - MINUTE * age);
    Input { occurred_at, expected: Expected::default(), ..input }
}

/// Returns a draft whose title begins with its target.
fn draft(number: i64, priority: Priority, is_private: bool) -> Draft {
    let draft = if is_private {
        fixtures::dm("anna", &format!("{PRIVATE} {number}"))
    } else {
        fixtures::draft(&format!("{PUBLIC} {number}"))
    };
    Draft { priority, ..draft }
}
