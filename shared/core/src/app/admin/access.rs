//! Decides who may administer a tenant.

use std::{net::IpAddr, sync::Arc};

use crate::{
    app::user_directory::UserDirectory,
    domain::{
        admin::Administrator,
        error::{Error, Result},
        id::TenantId,
        origin::RequestId,
        user::{Caller, Role},
    },
};

/// The engine that checks the right to administer.
pub struct Access {
    directory: Arc<UserDirectory>,
}

impl Access {
    pub(crate) fn new(directory: &Arc<UserDirectory>) -> Self {
        Self { directory: directory.clone() }
    }

    /// Checks by the stored role that the caller may administer a tenant: an administrator their own one, a
    /// super administrator any. Without `tenant` it is their own one.
    ///
    /// # Errors
    /// `admin_role_needed` for other roles, and "not found" for a tenant that is not theirs.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id()))]
    pub async fn authorize(
        &self,
        caller: &Caller,
        tenant: Option<TenantId>,
        address: IpAddr,
        request_id: Option<RequestId>,
    ) -> Result<Administrator> {
        let user = self.directory.refreshed(caller).await?.user;
        user.identity.role.check_may_administer()?;
        let tenant = tenant.unwrap_or(user.tenant());
        let is_super = user.identity.role == Role::SuperAdmin;
        if tenant != user.tenant() && !is_super {
            return Err(Error::NotFound("tenant"));
        }
        Ok(Administrator { actor: user.id().clone(), tenant, is_super, address, request_id })
    }
}
