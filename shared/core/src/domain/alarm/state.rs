//! The states of an alarm.

use serde::Serialize;

/// The state of an alarm (ISA-18.2 and IEC 62682, "alarm state model").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AlarmState"))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The fault is over, and nobody has to acknowledge it any more.
    Normal,
    /// The fault is present, and an operator has to acknowledge it.
    ActiveUnack,
    /// The fault is present, and is acknowledged or needs no acknowledgement.
    ActiveAck,
    /// The fault is over (return to normal), and an operator still has to acknowledge it.
    RtnUnack,
}

impl State {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Normal, Self::ActiveUnack, Self::ActiveAck, Self::RtnUnack];

    /// Returns the value in responses and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::ActiveUnack => "active_unack",
            Self::ActiveAck => "active_ack",
            Self::RtnUnack => "rtn_unack",
        }
    }

    /// Parses the stored form; `None` if it is unknown.
    pub fn parse(stored: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == stored)
    }

    /// Returns whether the fault is present.
    pub fn is_active(self) -> bool {
        matches!(self, Self::ActiveUnack | Self::ActiveAck)
    }
}
