//! Accounts in memory.

use async_trait::async_trait;
use messenger_core::{
    Result,
    error::Failure,
    id::{MatrixUserId, RoomId},
    port::{Accounts, ExternalAccounts, Homeserver},
};

use super::MemoryHomeserver;

#[async_trait]
impl Homeserver for MemoryHomeserver {
    async fn ping(&self) -> Result<()> {
        self.call("pinging the homeserver", |_| Ok(())).await
    }
}

#[async_trait]
impl Accounts for MemoryHomeserver {
    async fn claim_account(&self, user: &MatrixUserId) -> Result<bool> {
        self.call("claiming an account", |state| {
            if state.foreign.contains(user) {
                return Ok(false);
            }
            state.accounts.entry(user.clone()).or_default();
            Ok(true)
        })
        .await
    }

    async fn ensure_user(&self, user: &MatrixUserId, display_name: &str) -> Result<()> {
        self.check_account(user)?;
        self.call("ensuring an account", |state| {
            state.act_as(user);
            state.accounts.insert(user.clone(), display_name.to_owned());
            Ok(())
        })
        .await
    }

    async fn silence(&self, room: &RoomId, user: &MatrixUserId, is_silent: bool) -> Result<()> {
        self.call("changing a push rule", |state| {
            state.act_as(user);
            let member = (room.clone(), user.clone());
            if is_silent {
                state.silent.insert(member)
            } else {
                state.silent.remove(&member)
            };
            Ok(())
        })
        .await
    }

    async fn show_as_direct(&self, room: &RoomId, user: &MatrixUserId, partner: &MatrixUserId) -> Result<()> {
        self.call_in(room, "marking a direct chat", |state| {
            state.act_as(user);
            state.direct.insert((user.clone(), partner.clone(), room.clone()));
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl ExternalAccounts for MemoryHomeserver {
    async fn set_password(&self, user: &MatrixUserId, password: &str) -> Result<()> {
        self.call("setting a password", |state| {
            state.act_as(user);
            if !state.accounts.contains_key(user) {
                return Err(Failure::Rejected);
            }
            state.passwords.insert(user.clone(), password.to_owned());
            Ok(())
        })
        .await
    }

    async fn revoke(&self, user: &MatrixUserId) -> Result<()> {
        self.call("logging devices out", |state| {
            state.act_as(user);
            state.passwords.remove(user);
            Ok(())
        })
        .await
    }
}

impl MemoryHomeserver {
    /// Returns whether a user's push rule makes a room silent.
    pub fn is_silent(&self, room: &RoomId, user: &MatrixUserId) -> bool {
        self.state().silent.contains(&(room.clone(), user.clone()))
    }
}
