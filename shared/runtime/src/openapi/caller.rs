//! The callers of operations: their credentials, and the problems of those.

use serde_json::{Value, json};

use super::code::{self, Code};
use crate::session;

/// The party that may call an operation, named by its extractor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Anybody, without credentials.
    Anyone,
    /// A user with a token in the header ([`Authenticated`](crate::caller::Authenticated)).
    User,
    /// A user with a token in the header or in the URL, or with the session cookie
    /// ([`AuthenticatedByUrl`](crate::caller::AuthenticatedByUrl)).
    UserByUrl,
    /// An administrator with a token in the header
    /// ([`AdministratorCaller`](crate::caller::AdministratorCaller)).
    Administrator,
    /// A satellite with the service token ([`ServiceCaller`](crate::caller::ServiceCaller)).
    Satellite,
    /// The homeserver with its `hs_token` ([`HomeserverCaller`](crate::homeserver::HomeserverCaller)).
    Homeserver,
}

const USER: &[Code] = &[
    code::TOKEN_MISSING,
    code::TOKEN_INVALID,
    code::TOKEN_EXPIRED,
    code::TOKEN_NOT_YET_VALID,
    code::TOKEN_SUPERSEDED,
    code::TOKEN_REVOKED,
    code::SSO_OFF,
    code::RATE_LIMITED,
    code::DATABASE_UNAVAILABLE,
];

/// The codes of a caller whose browser may send the session cookie, beside those of a user.
const BROWSER: &[Code] = &[code::ORIGIN_NOT_ALLOWED];

/// The codes of an administrator, beside those of a user.
const ADMINISTRATOR: &[Code] = &[code::ADMIN_ROLE_NEEDED, code::NOT_FOUND, code::INVALID_REQUEST];

impl Caller {
    /// Returns the codes of refused credentials.
    pub(super) fn codes(self) -> Vec<Code> {
        match self {
            Self::Anyone => vec![],
            Self::User => USER.to_vec(),
            Self::UserByUrl => [USER, BROWSER].concat(),
            Self::Administrator => [USER, ADMINISTRATOR].concat(),
            Self::Satellite => {
                vec![code::SERVICE_TOKEN_MISSING, code::SERVICE_TOKEN_WRONG, code::RATE_LIMITED]
            }
            Self::Homeserver => vec![code::HS_TOKEN_MISSING, code::HS_TOKEN_WRONG, code::RATE_LIMITED],
        }
    }

    /// Returns the security requirement: the schemes of which one is needed.
    pub(super) fn security(self) -> Value {
        let schemes: &[&str] = match self {
            Self::Anyone => &[],
            Self::User | Self::Administrator => &["userToken"],
            Self::UserByUrl => &["userToken", "userTokenInUrl", "sessionCookie"],
            Self::Satellite => &["serviceToken"],
            Self::Homeserver => &["homeserverToken", "homeserverTokenInUrl"],
        };
        schemes.iter().map(|scheme| json!({ *scheme: [] })).collect()
    }
}

/// Returns the security schemes of the document.
pub(super) fn schemes() -> Value {
    json!({
        "userToken": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "A token of the Hub, or of this service (`POST /auth/hub-login`).",
        },
        "userTokenInUrl": {
            "type": "apiKey", "in": "query", "name": "token",
            "description": "The same token, for clients that cannot set headers. The header wins.",
        },
        "sessionCookie": {
            "type": "apiKey", "in": "cookie", "name": session::SECURE_NAME,
            "description": "The cookie that `POST /auth/session` sets, for pages of the service's own origin. Header \
                and URL win. Without TLS its name has no prefix: `messenger_session`.",
        },
        "serviceToken": {
            "type": "apiKey", "in": "header", "name": "X-Service-Token",
            "description": "The value of `MESSENGER_SERVICE_TOKEN`. It stands for all satellites.",
        },
        "homeserverToken": {
            "type": "http", "scheme": "bearer",
            "description": "The `hs_token` of the Application Service registration.",
        },
        "homeserverTokenInUrl": {
            "type": "apiKey", "in": "query", "name": "access_token",
            "description": "The same token in the query.",
        },
    })
}
