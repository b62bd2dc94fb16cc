//! The push rules of rooms that a user has muted, and the one that makes urgent notifications ring (Matrix specification, "Push Rules").
//!
//! The default rules make no sound for a mention of the room, and an event cannot list all members. Therefore
//! each account has a rule of its own, so that the clients of all members ring.

use messenger_core::{
    Result,
    id::{MatrixUserId, RoomId},
    rendering::MARKER,
};
use reqwest::StatusCode;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::{
    call::{Call, Http},
    error::{Cause, Context},
};

/// The id of the rule, which users see in the settings of their client.
const RULE: &str = "com.aesystek.urgent";

impl Http {
    /// Adds the rule to an account that lacks it. Returns whether it was missing. An existing rule stays as
    /// its user changed it. A refusal is not an error, because the account works without the rule.
    pub(crate) async fn ensure_push_rule(&self, user: &MatrixUserId, bot: &MatrixUserId) -> Result<bool> {
        match rule(self.get(), user).send::<IgnoredAny>().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => {}
            known => return unless_refused(known, user).context("reading a push rule").map(|()| false),
        }
        self.put_push_rule(user, bot).await.map(|()| true)
    }

    /// Adds or removes the rule that makes a room silent (Matrix specification, "Push Rules", kind `room`).
    pub(crate) async fn silence_room(
        &self,
        room: &RoomId,
        user: &MatrixUserId,
        is_silent: bool,
    ) -> Result<()> {
        let call = if is_silent { self.put().body(&json!({ "actions": [] })) } else { self.delete() };
        let call = call.at("pushrules").at("global").at("room").at(room).by(user);
        match call.send::<IgnoredAny>().await {
            Err(cause) if !is_silent && cause.is_status(StatusCode::NOT_FOUND) => Ok(()),
            result => result.context("changing the push rule of a room").map(drop),
        }
    }

    async fn put_push_rule(&self, user: &MatrixUserId, bot: &MatrixUserId) -> Result<()> {
        let call = rule(self.put(), user).body(&urgent(bot));
        unless_refused(call.send().await, user).context("setting a push rule")
    }
}

fn rule<'a>(call: Call<'a>, user: &'a MatrixUserId) -> Call<'a> {
    call.at("pushrules").at("global").at("override").at(RULE).by(user)
}

/// Returns the rule, which matches urgent notifications by the bot and the same content by nobody else.
fn urgent(bot: &MatrixUserId) -> Value {
    let priority = format!("content.{}.priority", MARKER.replace('.', r"\."));
    json!({
        "conditions": [
            { "kind": "event_property_is", "key": priority, "value": "urgent" },
            { "kind": "event_property_is", "key": "sender", "value": bot },
        ],
        "actions": [
            "notify",
            { "set_tweak": "sound", "value": "default" },
            { "set_tweak": "highlight", "value": true },
        ],
    })
}

fn unless_refused(result: Result<IgnoredAny, Cause>, user: &MatrixUserId) -> Result<(), Cause> {
    match result {
        Err(cause) if cause.is_rejected() => {
            let cause: &dyn std::error::Error = &cause;
            tracing::warn!(%user, cause, "push rule of urgent notifications refused by the homeserver");
            Ok(())
        }
        result => result.map(drop),
    }
}
