//! Calls that restore a missing account or device of the user for whom they act.

use messenger_core::id::MatrixUserId;
use serde::de::DeserializeOwned;

use crate::{
    call::{Call, DEVICE, Http},
    error::Cause,
};

/// The explanations that come with `M_FORBIDDEN` for an account that does not exist: of Synapse, then of
/// Conduit.
const NO_ACCOUNT: [&str; 2] = ["has not registered this user", "User does not exist"];

impl Call<'_> {
    /// Sends the call. Restores a missing account or device and sends the call again. Use
    /// `serde::de::IgnoredAny` for a response of no interest.
    pub(crate) async fn send<T: DeserializeOwned>(self) -> Result<T, Cause> {
        let (http, user) = (self.http(), self.user());
        let request = self.finish()?;
        match (http.exchange(&request).await, user) {
            (Err(cause), Some(user)) if restore(http, user, &cause).await? => http.exchange(&request).await,
            (result, _) => result,
        }
    }
}

/// Registers the account, or logs its device in, if it is missing according to `cause`. Returns whether the
/// call should be repeated.
async fn restore(http: &Http, user: &MatrixUserId, cause: &Cause) -> Result<bool, Cause> {
    let Some(refusal) = cause.refusal() else { return Ok(false) };
    match refusal.errcode.as_deref() {
        Some("M_UNKNOWN_DEVICE") => http.log_in(user, DEVICE).await.map(|_| true),
        Some("M_FORBIDDEN") if NO_ACCOUNT.iter().any(|text| refusal.explanation.contains(text)) => {
            // Another process may have registered it meanwhile.
            Ok(http.register(user).await? || http.recognise(user).await?)
        }
        _ => Ok(false),
    }
}
