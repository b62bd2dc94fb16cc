//! Manages external access: the password with which a user signs in to other Matrix clients.
//!
//! An administrator enables it, and the user's first call creates the password. The password is stored before
//! it is set on the homeserver, so that the next call completes an interrupted one. A withdrawal is stored
//! first, too; the worker repeats it until the homeserver has logged out all devices.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    app::onboarding::Onboarding,
    domain::{
        admin::{Administrator, ExpectedVersions},
        error::{Error, Result},
        external::{Access, ExternalClient, Withdrawal},
        id::HubUserId,
        lease::Lease,
        matrix_ids::MatrixIds,
        room::account_refused,
        settings::MessengerSettings,
        user::{Account, Caller, User},
    },
    port::{self, Ports},
};

/// The number of attempts to set the stored password on the homeserver while other calls change it.
const TRIES: usize = 5;

/// The time that a process may take for a revocation before another one may try.
const LEASE: Duration = Duration::from_mins(1);

/// The time that a call waits for another process that logs the devices out.
const PATIENCE: Duration = Duration::from_secs(10);

/// The interval at which such a call checks the state.
const POLL: Duration = Duration::from_millis(50);

/// The most revocations that a worker claims at once.
const BATCH: i64 = 4;

/// The engine for credentials of other Matrix clients.
pub struct ExternalClients {
    external_access: Arc<dyn port::ExternalAccess>,
    external_accounts: Arc<dyn port::ExternalAccounts>,
    vault: Arc<dyn port::Vault>,
    users: Arc<dyn port::Users>,
    onboarding: Arc<Onboarding>,
    ids: Arc<MatrixIds>,
    settings: Arc<MessengerSettings>,
}

impl ExternalClients {
    pub(crate) fn new(
        ports: &Ports,
        onboarding: &Arc<Onboarding>,
        ids: &Arc<MatrixIds>,
        settings: &Arc<MessengerSettings>,
    ) -> Self {
        Self {
            external_access: ports.external_access.clone(),
            external_accounts: ports.external_accounts.clone(),
            vault: ports.vault.clone(),
            users: ports.users.clone(),
            onboarding: onboarding.clone(),
            ids: ids.clone(),
            settings: settings.clone(),
        }
    }

    /// Returns the credentials for other Matrix clients of the caller. They stay the same until they are
    /// rotated.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id()))]
    pub async fn credentials(&self, caller: &Caller) -> Result<ExternalClient> {
        self.onboarding.make_ready(caller, std::slice::from_ref(&caller.user)).await?;
        let (mut access, user) = (self.access(caller).await?, &caller.user);
        for _ in 0..TRIES {
            let stored = access.password.as_ref().and_then(|sealed| self.vault.open(user.id(), sealed));
            let (password, generation) = match stored {
                Some(password) if access.applied => return Ok(self.credentials_of(user, password)),
                Some(password) => (password, Lease::Held(access.generation)),
                // No password is stored yet, or the key that sealed it is gone.
                None => self.store_password(user, access.generation).await?,
            };
            if let Lease::Held(generation) = generation {
                let set = self.external_accounts.set_password(&self.ids.of(user), &password).await;
                set.map_err(|error| account_refused(Some(caller), user, error))?;
                if self.external_access.applied(user.id(), generation).await?.is_held() {
                    return Ok(self.credentials_of(user, password));
                }
            }
            // Another call has stored a password meanwhile. It counts, and must be set on the homeserver
            // again.
            access = match self.access(caller).await {
                Ok(access) => Access { applied: false, ..access },
                Err(withdrawn) => {
                    self.external_accounts.revoke(&self.ids.of(user)).await?;
                    return Err(withdrawn);
                }
            };
        }
        Err(Error::Busy { retry_after: Duration::from_secs(1) })
    }

    /// Replaces the caller's password. Their other clients have to sign in again.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id()))]
    pub async fn rotate(&self, caller: &Caller) -> Result<ExternalClient> {
        let access = self.access(caller).await?;
        // A password that another call stores at the same time is new as well.
        self.store_password(&caller.user, access.generation).await?;
        self.credentials(caller).await
    }

    /// Enables external access for a user of the administered tenant.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %by.tenant, %user))]
    pub async fn enable(
        &self,
        by: &Administrator,
        user: &HubUserId,
        expected: &ExpectedVersions,
    ) -> Result<()> {
        self.external_access.enable(by, user, expected).await
    }

    /// Withdraws external access: the password becomes void and all external devices are logged out, now or
    /// as soon as the homeserver is reachable.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %by.tenant, %user))]
    pub async fn disable(
        &self,
        by: &Administrator,
        user: &HubUserId,
        expected: &ExpectedVersions,
    ) -> Result<Withdrawal> {
        self.external_access.disable(by, user, expected).await?;
        let user = self.users.find(by.tenant, user).await?.ok_or(Error::NotFound("user"))?;
        self.log_devices_out(&user).await
    }

    /// Logs all external devices of a user out after that was stored, or waits for the process that does so.
    pub(crate) async fn log_devices_out(&self, user: &User) -> Result<Withdrawal> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.external_access.claim_revocation(user.id(), LEASE).await? {
                None => return Ok(Withdrawal::Done),
                Some(Lease::Held(generation)) => {
                    let revoked = self.revoke(user, generation).await?;
                    return Ok(if revoked { Withdrawal::Done } else { Withdrawal::Pending });
                }
                Some(Lease::Lost) if Instant::now() < deadline => sleep(POLL).await,
                Some(Lease::Lost) => return Ok(Withdrawal::Pending),
            }
        }
    }

    /// Carries out revocations that are due. Returns the number of claimed ones.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn revoke_due(&self) -> Result<usize> {
        let due = self.external_access.claim_revocations(LEASE, BATCH).await?;
        for (user, generation) in &due {
            self.revoke(user, *generation).await?;
        }
        Ok(due.len())
    }

    /// Revokes the password and devices of a user. Returns `false` if the homeserver failed.
    ///
    /// An account that this service does not own never had a password from it, and keeps its devices.
    async fn revoke(&self, user: &User, generation: i64) -> Result<bool> {
        let revoked = match user.account {
            Account::Ours => self.external_accounts.revoke(&self.ids.of(user)).await,
            Account::Pending | Account::Foreign => Ok(()),
        };
        if let Err(error) = &revoked {
            tracing::warn!(
                user = %user.id(),
                error = error as &dyn std::error::Error,
                "revoking external access postponed"
            );
        }
        self.external_access.revoked(user.id(), generation, revoked.is_ok()).await?;
        Ok(revoked.is_ok())
    }

    /// Returns the caller's external access, or an error if it is not enabled.
    async fn access(&self, caller: &Caller) -> Result<Access> {
        let access = self.external_access.find(caller.user.tenant(), caller.user.id()).await?;
        access.ok_or(Error::Forbidden {
            code: "external_access_disabled",
            detail: "other Matrix clients are not enabled for you: ask an administrator".into(),
        })
    }

    /// Creates and stores a password. Its generation is lost if another call stored one first.
    async fn store_password(&self, user: &User, generation: i64) -> Result<(String, Lease<i64>)> {
        let password = self.vault.password()?;
        let sealed = self.vault.seal(user.id(), &password)?;
        let generation = self.external_access.store(user.id(), generation, &sealed).await?;
        Ok((password, generation))
    }

    /// Returns the credentials of a user with this password.
    fn credentials_of(&self, user: &User, password: String) -> ExternalClient {
        ExternalClient {
            homeserver: self.settings.public_homeserver_url.clone(),
            user_id: self.ids.of(user),
            username: user.localpart.clone(),
            password,
        }
    }
}
