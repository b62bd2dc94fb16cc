//! Users and their events.
use anyhow::{Result, ensure};

use super::endpoint::{Callers, Endpoint};
use super::subject::{Subject, Wanted};
use crate::service::{Door, sign_in};
use crate::token;

/// Users whom a search looks through.
const USERS: usize = 200;

pub(super) const KNOWN: [Endpoint; 2] = [
    Endpoint::new("users/me", "GET /api/v1/users/me"),
    Endpoint::new("users?q=", "GET /api/v1/users?q=load-1"),
];
/// Who brings their token elsewhere than in a header.
pub(super) const STRANGERS: [Endpoint; 2] = [
    Endpoint::new("auth/hub-login", "POST /auth/hub-login").body(r#"{"hub_token":"{token}"}"#),
    Endpoint::new("events/poll", "GET /api/v1/events/poll?token={token}&client=bench"),
];

/// Users `load-0`, `load-1` …, all signed in.
pub(super) async fn signed_in(door: &Door) -> Result<Vec<String>> {
    let tokens = token::many(&door.hub_key, "load", USERS, 1)?;
    sign_in(&door.server, &tokens).await?;
    Ok(tokens)
}

pub(super) fn loads(door: &Door, wanted: &Wanted, tokens: &[String]) -> Result<Vec<Subject>> {
    ensure!(!tokens.is_empty(), "nobody is signed in");
    let mut subjects = wanted.of(&KNOWN, &Callers::with(door, &tokens[..1]));
    subjects.extend(wanted.of(&STRANGERS, &Callers::strangers(door).word("token", &tokens[0])));
    Ok(subjects)
}
