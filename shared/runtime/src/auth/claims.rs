//! The claims of a verified token (RFC 7519), and the identity that they map to.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::get_current_timestamp;
use messenger_core::{
    Result,
    id::{HubUserId, TenantId},
    json,
    name::{self, DISPLAY_NAME_MAX},
    user::{Identity, Role},
};
use serde::Deserialize;
use serde_json::{Number, Value, value::RawValue};

use super::{HUB_ISSUER, LEEWAY, Verified, refusal::invalid, refused};

const MICROSECONDS: f64 = 1e6;

/// The claims that this service reads. The presence of `sub` and `exp` is checked with the signature.
#[derive(Deserialize)]
pub(super) struct Claims {
    /// A single issuer; a list is refused.
    iss: String,
    sub: Option<Value>,
    exp: Option<Value>,
    iat: Option<Value>,
    hub_iat: Option<Value>,
    role: Option<Box<RawValue>>,
    tenant_id: Option<Box<RawValue>>,
    display_name: Option<Box<RawValue>>,
}

impl Claims {
    /// Checks the claims and maps them to an identity.
    pub(super) fn verified(self, default_tenant: TenantId) -> Result<Verified> {
        let by_hub = self.iss == HUB_ISSUER;
        let sub = self.sub.as_ref().and_then(Value::as_str);
        let hub_user_id = HubUserId::parse(sub.unwrap_or_default())
            .map_err(|problem| invalid(format!("the token's `sub` {problem}")))?;
        let tenant = self.tenant_id.as_deref().map_or(Ok(default_tenant), tenant)?;
        let own_issued_at = issued_at("iat", self.iat)?;
        // A token of this service holds the time at which the Hub's was issued.
        let issued_at = if by_hub { own_issued_at } else { issued_at("hub_iat", self.hub_iat)? };
        let display_name = display_name(&text("display_name", self.display_name.as_deref())?, &hub_user_id);
        let role = Role::from_hub(&text("role", self.role.as_deref())?);
        let identity = Identity { hub_user_id, tenant, display_name, role, issued_at };
        let exp = self.exp.as_ref().and_then(Value::as_number).map_or(Timestamp::MAX, expiry);
        let expires_at = exp.checked_add(Duration::from_secs(LEEWAY)).unwrap_or(Timestamp::MAX);
        Ok(Verified { identity, issued_at: own_issued_at, exp, expires_at, by_hub })
    }
}

/// Returns a time as `NumericDate`: seconds since 1970, with their fraction.
#[expect(clippy::cast_precision_loss, reason = "microseconds of this age are exact")]
pub(super) fn numeric_date(time: Timestamp) -> f64 {
    time.as_microsecond() as f64 / MICROSECONDS
}

/// Returns the text of a claim, empty without the claim. Half of a surrogate pair in it reads as U+FFFD.
fn text(name: &str, claim: Option<&RawValue>) -> Result<String> {
    let invalid = || invalid(format!("the token's `{name}` must be text"));
    claim.map_or(Ok(String::new()), |claim| json::text(claim).ok_or_else(invalid))
}

/// Parses `tenant_id`: a whole number, or one in quotes.
fn tenant(claim: &RawValue) -> Result<TenantId> {
    let text = json::text(claim).unwrap_or_else(|| claim.get().to_owned());
    let number = json::whole(text.trim()).map(TenantId);
    number.ok_or_else(|| invalid("the token's `tenant_id` must be a whole number"))
}

/// Parses a time of issue, to the microsecond. Refuses one in the future, which would outrank every token
/// until then.
fn issued_at(name: &str, claim: Option<Value>) -> Result<Option<Timestamp>> {
    let seconds = match claim {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        Some(_) => None,
    };
    let seconds = seconds.ok_or_else(|| {
        invalid(format!("the token's `{name}` must be a number: seconds since 1970 (RFC 7519)"))
    })?;
    #[expect(clippy::cast_possible_truncation, reason = "a time beyond the calendar saturates")]
    let microseconds = (seconds * MICROSECONDS).round().max(0.0) as i64;
    let time = Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::MAX);
    let latest = i64::try_from(get_current_timestamp() + LEEWAY).unwrap_or(i64::MAX);
    if time.as_second() > latest {
        return Err(refused(
            "token_not_yet_valid",
            "the token's `iat` is in the future: the clocks of the Hub and of this service must not differ by more than \
             30 seconds, and it must be in seconds since 1970",
        ));
    }
    Ok(Some(time))
}

/// Returns the time at which a token expires. `exp` may have a fraction (RFC 7519, `NumericDate`); a time
/// beyond the calendar reads as the last one.
fn expiry(exp: &Number) -> Timestamp {
    let seconds = exp.as_i64().or_else(|| {
        let whole = Duration::try_from_secs_f64(exp.as_f64()?).ok()?.as_secs();
        i64::try_from(whole).ok()
    });
    seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::MAX)
}

/// Returns the name that people see: that of the claim, or the id of a user whose name is blank. A longer one
/// than [`DISPLAY_NAME_MAX`] is cut.
fn display_name(claim: &str, user: &HubUserId) -> String {
    let cut = |name: &str| name::legible(name).chars().take(DISPLAY_NAME_MAX).collect::<String>();
    let shown = [claim, user.as_str()].into_iter().map(cut).find(|name| !name.is_empty());
    shown.unwrap_or_else(|| user.as_str().to_owned())
}
