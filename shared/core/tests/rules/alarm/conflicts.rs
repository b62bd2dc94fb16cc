//! Acts of operators on an alarm that has changed, and of several operators at once.

use messenger_core::alarm::{Action, Change, Conflict, Expected, InputSource, Outcome, State};

use super::{APPLIED, HOUR, Site, from_matrix, operator, trigger};

fn act_on(site: &mut Site, expected: Expected, action: Action) -> Change {
    let mut input = site.input(InputSource::Api(operator("Anna")), action);
    input.expected = expected;
    site.step(&[input])
}

fn episode(number: i64) -> Expected {
    Expected { episode: Some(number), revision: None }
}

fn revision(revision: i64) -> Expected {
    Expected { episode: None, revision: Some(revision) }
}

#[test]
fn an_act_on_an_earlier_episode_is_refused() {
    let mut site = Site::in_state(State::Normal, &trigger());
    site.trigger();
    for action in [Action::Acknowledge, Action::Resolve, Action::Unacknowledge] {
        let change = act_on(&mut site, episode(1), action);
        assert_eq!(change.outcomes, [Outcome::Refused(Conflict::EpisodeOver)]);
        assert_eq!(change.journal.len(), 1, "a refused act is journaled");
    }
    assert_eq!(site.alarm.state(), State::ActiveUnack);
    assert_eq!(act_on(&mut site, episode(2), Action::Acknowledge).outcomes, [APPLIED]);
}

#[test]
fn an_act_on_an_older_state_is_refused() {
    let mut site = Site::in_state(State::ActiveUnack, &trigger());
    let seen = site.alarm.revision;
    site.act(Action::Acknowledge);
    let change = act_on(&mut site, revision(seen), Action::Resolve);
    assert_eq!(change.outcomes, [Outcome::Refused(Conflict::StateChanged)]);
    let seen = site.alarm.revision;
    assert_eq!(act_on(&mut site, revision(seen), Action::Resolve).outcomes, [APPLIED]);
}

#[test]
fn a_counter_does_not_make_the_seen_state_older() {
    let mut site = Site::in_state(State::ActiveUnack, &trigger());
    let seen = site.alarm.revision;
    site.trigger();
    site.trigger();
    assert_eq!(act_on(&mut site, revision(seen), Action::Acknowledge).outcomes, [APPLIED]);
}

#[test]
fn of_two_acts_on_the_same_state_in_one_step_the_second_is_refused() {
    let mut site = Site::in_state(State::ActiveUnack, &trigger());
    let expected = revision(site.alarm.revision);
    let inputs = [Action::Acknowledge, Action::Resolve].map(|action| {
        let mut input = site.input(InputSource::Api(operator("Anna")), action);
        input.expected = expected;
        input
    });
    let change = site.step(&inputs);
    assert_eq!(change.outcomes, [APPLIED, Outcome::Refused(Conflict::StateChanged)]);
    assert_eq!(site.alarm.state(), State::ActiveAck);
}

#[test]
fn the_first_acknowledgement_wins() {
    let mut site = Site::in_state(State::ActiveUnack, &trigger());
    site.act(Action::Acknowledge);
    site.now += HOUR;
    let late = site.input(from_matrix("Anna", "$ok"), Action::Acknowledge);
    assert_eq!(site.step(&[late]).outcomes, [Outcome::Unchanged]);
    let acknowledgement = site.episode().acknowledgement.as_ref().expect("acknowledged");
    assert_eq!(acknowledgement.by, InputSource::Api(operator("Max Müller")));
    assert_eq!((acknowledgement.at, acknowledgement.by.via()), (site.now - HOUR, "api"));
}

#[test]
fn only_the_redaction_of_the_acknowledging_reaction_withdraws_it() {
    let mut site = Site::in_state(State::ActiveUnack, &trigger());
    for (name, event) in [("Anna", "$1"), ("Max", "$2")] {
        let reaction = site.input(from_matrix(name, event), Action::Acknowledge);
        site.step(&[reaction]);
    }
    let other = site.input(from_matrix("Max", "$2"), Action::Unacknowledge);
    assert_eq!(site.step(&[other]).outcomes, [Outcome::Unchanged]);
    assert_eq!(site.alarm.state(), State::ActiveAck);
    let own = site.input(from_matrix("Anna", "$1"), Action::Unacknowledge);
    assert_eq!(site.step(&[own]).outcomes, [APPLIED]);
    assert_eq!(site.alarm.state(), State::ActiveUnack);
}

#[test]
fn any_operator_withdraws_an_acknowledgement_through_the_service() {
    let mut site = Site::in_state(State::ActiveUnack, &trigger());
    let reaction = site.input(from_matrix("Anna", "$1"), Action::Acknowledge);
    site.step(&[reaction]);
    assert_eq!(site.act(Action::Unacknowledge).outcomes, [APPLIED]);
}
