//! The JSON of answers.

use messenger_core::{
    MatrixIds,
    admin::UserRecord,
    external::Withdrawal,
    id::{HubUserId, MatrixUserId},
    time::Rfc3339,
    user::{Account, Role},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::request::ACCOUNTS;

/// The problem of a Matrix account that another party made: this service does not use it.
const TAKEN: &str = "matrix_account_taken";

/// A user as administrators see them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TenantUser")]
pub(super) struct User {
    hub_user_id: HubUserId,
    /// The name that people see.
    display_name: String,
    /// The name in the Hub.
    hub_display_name: String,
    /// Whether an administrator gave `display_name`.
    renamed: bool,
    role: Role,
    matrix_user_id: MatrixUserId,
    /// Whether the Matrix account is ready and up to date.
    provisioned: bool,
    external_client_enabled: bool,
    /// The maker of the Matrix account: this service (`ours`) or another party; `pending` without an account.
    #[schemars(extend("enum" = ["pending", "ours", "foreign"]))]
    account: &'static str,
    /// The reason for which the account is not used.
    #[schemars(extend("enum" = ["matrix_account_taken", null]))]
    account_problem: Option<&'static str>,
    created_at: Rfc3339,
    /// The time of the last call, to some minutes.
    last_seen_at: Option<Rfc3339>,
    pub(super) version: i64,
    /// Whether the devices of other Matrix clients are logged out, in answers of acts that do so. The worker
    /// repeats what is `pending`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["done", "pending"]))]
    external_access: Option<&'static str>,
}

impl User {
    pub(super) fn of(record: UserRecord, ids: &MatrixIds) -> Self {
        let UserRecord { user, is_renamed, version, created_at, last_seen_at, .. } = record;
        Self {
            matrix_user_id: ids.of(&user),
            hub_user_id: user.identity.hub_user_id,
            display_name: user.display_name,
            hub_display_name: user.identity.display_name,
            renamed: is_renamed,
            role: user.identity.role,
            provisioned: user.provisioned,
            external_client_enabled: user.external_client_enabled,
            account: ACCOUNTS
                .into_iter()
                .find(|(_, state)| *state == user.account)
                .map_or("", |(name, _)| name),
            account_problem: (user.account == Account::Foreign).then_some(TAKEN),
            created_at: Rfc3339(created_at),
            last_seen_at: last_seen_at.map(Rfc3339),
            version,
            external_access: None,
        }
    }

    /// Adds the progress of a logout from other Matrix clients.
    pub(super) fn withdrawn(self, withdrawal: Option<Withdrawal>) -> Self {
        let external_access = withdrawal.map(|withdrawal| match withdrawal {
            Withdrawal::Done => "done",
            Withdrawal::Pending => "pending",
        });
        Self { external_access, ..self }
    }
}
