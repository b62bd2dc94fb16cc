//! Administers the users of a tenant.

use std::sync::Arc;

use crate::{
    app::{external_clients::ExternalClients, operations::Operations},
    domain::{
        admin::{Administrator, ExpectedVersions, UserRecord, UserRecordQuery},
        error::{Error, Result},
        external::Withdrawal,
        id::HubUserId,
        matrix_ids::MatrixIds,
        name::fold,
    },
    port::{AdminPorts, AdminUsers, GivenName},
};

/// The engine that administers users.
pub struct Users {
    records: Arc<dyn AdminUsers>,
    external_clients: Arc<ExternalClients>,
    operations: Arc<Operations>,
    ids: Arc<MatrixIds>,
}

impl Users {
    pub(crate) fn new(
        ports: &AdminPorts,
        external_clients: &Arc<ExternalClients>,
        operations: &Arc<Operations>,
        ids: &Arc<MatrixIds>,
    ) -> Self {
        Self {
            records: ports.users.clone(),
            external_clients: external_clients.clone(),
            operations: operations.clone(),
            ids: ids.clone(),
        }
    }

    /// Returns users of the administered tenant by name.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %by.tenant))]
    pub async fn list(&self, by: &Administrator, query: UserRecordQuery) -> Result<Vec<UserRecord>> {
        self.records.list(by.tenant, &UserRecordQuery { text: fold(&query.text), ..query }).await
    }

    /// Returns a user of the administered tenant.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %by.tenant, %user))]
    pub async fn find(&self, by: &Administrator, user: &HubUserId) -> Result<UserRecord> {
        self.records.find(by.tenant, user).await?.ok_or(Error::NotFound("user"))
    }

    /// Gives a user another display name, which stays whatever name the Hub sends; with `None` the user has
    /// that of the Hub again.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %by.tenant, %user))]
    pub async fn rename(
        &self,
        by: &Administrator,
        user: &HubUserId,
        expected: &ExpectedVersions,
        name: Option<String>,
    ) -> Result<UserRecord> {
        if name.as_deref().is_some_and(|name| self.ids.is_like_bot(name)) {
            return Err(Error::invalid("/display_name", "must not be like the name of the bot"));
        }
        let name = name.map(|name| GivenName { search_name: fold(&name), display_name: name });
        self.records.rename(by, user, expected, name.as_ref()).await
    }

    /// Enables or disables other Matrix clients. Disabling logs out all their devices, now or as soon as the
    /// homeserver is reachable.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %by.tenant, %user))]
    pub async fn set_external_access(
        &self,
        by: &Administrator,
        user: &HubUserId,
        expected: &ExpectedVersions,
        enabled: bool,
    ) -> Result<(UserRecord, Option<Withdrawal>)> {
        let withdrawal = if enabled {
            self.external_clients.enable(by, user, expected).await?;
            None
        } else {
            Some(self.external_clients.disable(by, user, expected).await?)
        };
        Ok((self.find(by, user).await?, withdrawal))
    }

    /// Logs a user out of this service and of other Matrix clients. Tokens of the Hub stay valid.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %by.tenant, %user))]
    pub async fn log_out(
        &self,
        by: &Administrator,
        user: &HubUserId,
        expected: &ExpectedVersions,
    ) -> Result<(UserRecord, Option<Withdrawal>)> {
        let now = self.operations.now();
        let (record, generation) = self.records.log_out(by, user, expected, now).await?;
        if generation.is_none() {
            return Ok((record, None));
        }
        let withdrawal = self.external_clients.log_devices_out(&record.user).await?;
        Ok((record, Some(withdrawal)))
    }
}
