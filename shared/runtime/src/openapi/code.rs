//! The codes of problems, with their status and meaning. `code` of an answer with an error status is one of
//! them.

/// The code of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The value of `code`.
    pub name: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// A sentence part about the cause.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $status:literal $name:literal: $meaning:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "`: ", $meaning, ".")]
            pub const $constant: Code = Code { name: $name, status: $status, meaning: $meaning };
        )*
        /// All codes.
        pub const ALL: &[Code] = &[$($constant),*];
    };
}

codes! {
    BAD_REQUEST = 400 "invalid_request": "the request cannot be parsed";
    TOKEN_MISSING = 401 "token_missing": "there is no user token";
    SERVICE_TOKEN_MISSING = 401 "service_token_missing": "there is no service token";
    HS_TOKEN_MISSING = 401 "hs_token_missing": "there is no appservice token";
    TOKEN_INVALID = 401 "token_invalid": "not a JWT, or a wrong algorithm, signature, issuer or claim";
    TOKEN_EXPIRED = 401 "token_expired": "the token has expired: sign in again";
    TOKEN_NOT_YET_VALID = 401 "token_not_yet_valid": "`nbf` or `iat` is more than 30 seconds in the future";
    TOKEN_SUPERSEDED = 401 "token_superseded": "the token is of a tenant that the user is no longer in";
    TOKEN_REVOKED = 401 "token_revoked": "an administrator has logged the user out: sign in again";
    SSO_OFF = 401 "sso_disabled": "a Hub token, but HUB_SECRET_KEY is not set";
    SSO_DISABLED = 403 "sso_disabled": "single sign-on is off: HUB_SECRET_KEY is not set";
    HUB_CODE_INVALID = 401 "hub_code_invalid": "the Hub does not accept the code: it was used, or has expired";
    HUB_CODES_OFF = 403 "hub_codes_off": "a code of the Hub, but HUB_TOKEN_URL is not set";
    SERVICE_TOKEN_WRONG = 403 "service_token_wrong": "the service token is wrong";
    HS_TOKEN_WRONG = 403 "hs_token_wrong": "the appservice token is wrong";
    TENANT_NOT_ALLOWED = 403 "tenant_not_allowed": "the service token may not send for this tenant";
    READ_ONLY_ROLE = 403 "read_only_role": "a viewer may not write";
    ORIGIN_NOT_ALLOWED = 403 "origin_not_allowed": "the session cookie is for pages of the service's own origin";
    ADMIN_ROLE_NEEDED = 403 "admin_role_needed": "only administrators may do this";
    NOT_YOUR_MESSAGE = 403 "not_your_message": "only its sender may change a message";
    EXTERNAL_ACCESS_DISABLED = 403 "external_access_disabled": "other Matrix clients are not allowed";
    NOT_ALLOWED_IN_ROOM = 403 "not_allowed_in_room": "muted, removed, or without the power level";
    USER_BANNED = 403 "user_banned": "the caller, or a user whom they bring in, is banned";
    ACCOUNT_DEACTIVATED = 403 "account_deactivated": "a Matrix account is deactivated";
    ACCOUNT_SUSPENDED = 403 "account_suspended": "a Matrix account is suspended or locked";
    NOT_FOUND = 404 "not_found": "it does not exist, or the caller may not know that it does";
    METHOD_NOT_ALLOWED = 405 "method_not_allowed": "the path has other methods: see `Allow`";
    REQUEST_TIMEOUT = 408 "request_timeout": "head or body made no progress";
    IDEMPOTENCY_IN_FLIGHT = 409 "idempotency_in_flight": "the first call with this key is being answered";
    MATRIX_ACCOUNT_TAKEN = 409 "matrix_account_taken": "another party made the Matrix account of a user";
    ROOM_UPGRADED = 409 "room_upgraded": "the room was replaced: see `successor_room_id`";
    ROOM_ENCRYPTED = 409 "room_encrypted": "nothing can be sent into an encrypted room";
    MESSAGE_NOT_EDITABLE = 409 "message_not_editable": "only texts are edited";
    ROOM_IS_DIRECT = 409 "room_is_direct": "nobody else comes into a direct chat";
    ROOM_CLOSED = 409 "room_closed": "the room was closed a moment ago: try again";
    ROOM_IS_GENERAL = 409 "room_is_general": "the general room is not closed";
    ROOM_CANNOT_BE_LEFT = 409 "room_cannot_be_left": "direct chats and the general room are not left";
    NOT_RETRYABLE = 409 "not_retryable": "the notification is pending or sent";
    NOT_CANCELLABLE = 409 "not_cancellable": "the notification is not pending any more";
    NOT_HELD = 409 "not_held": "the notification is no held direct message";
    EPISODE_OVER = 409 "episode_over": "the alarm is in another episode now";
    STATE_CHANGED = 409 "state_changed": "the alarm has changed since `revision`";
    NOT_ACKNOWLEDGED = 409 "not_acknowledged": "the alarm has no acknowledgement to withdraw";
    NUMBER_CHANGED = 409 "number_changed": "the filter matches another number of notifications now";
    VERSION_MISMATCH = 412 "version_mismatch": "it has changed since: `version` is the present version";
    BODY_TOO_LARGE = 413 "body_too_large": "the body is too large; the connection closes";
    URI_TOO_LONG = 414 "uri_too_long": "path and query are too long";
    UNSUPPORTED_MEDIA_TYPE = 415 "unsupported_media_type": "the body is no JSON, or no form";
    UNSUPPORTED_ENCODING = 415 "unsupported_content_encoding": "the body is compressed";
    RANGE_NOT_SATISFIABLE = 416 "range_not_satisfiable": "the range begins beyond the end of the file";
    INVALID_REQUEST = 422 "invalid_request": "fields are wrong: `errors` names each";
    INVALID_JSON = 422 "invalid_json": "the body is no JSON object in UTF-8";
    INVALID_TARGET = 422 "invalid_target": "the fields do not determine the recipients";
    DEDUP_KEY_REQUIRED = 422 "dedup_key_required": "the event action is about an alarm: name it";
    IDEMPOTENCY_MISMATCH = 422 "idempotency_mismatch": "the key belongs to another request";
    UNKNOWN_USER = 422 "unknown_user": "users do not exist: `errors` names each";
    RATE_LIMITED = 429 "rate_limited": "a limit is reached";
    TOO_MANY_CONNECTIONS_OF_ADDRESS = 429 "too_many_connections": "too many connections of this address";
    HEAD_TOO_LARGE = 431 "head_too_large": "the request head is too large";
    HEADERS_TOO_LARGE = 431 "headers_too_large": "the request has too many headers, or too large ones";
    INTERNAL_ERROR = 500 "internal_error": "a failure of the service: report the `request_id`";
    HOMESERVER_ERROR = 502 "homeserver_error": "the homeserver failed";
    HUB_ERROR = 502 "hub_error": "the Hub failed";
    UPSTREAM_FAILED = 502 "upstream_failed": "a function broke off: the outcome is unknown";
    DATABASE_UNAVAILABLE = 503 "database_unavailable": "try again after `Retry-After`";
    NOT_READY = 503 "not_ready": "a part of the process does not work, or the user is not known here yet";
    BROKER_ENDED = 503 "broker_ended": "the process has to be restarted";
    HOMESERVER_UNAVAILABLE = 503 "homeserver_unavailable": "try again after `Retry-After`";
    HUB_UNAVAILABLE = 503 "hub_unavailable": "the Hub did not answer: sign in again after `Retry-After`";
    UPSTREAM_UNAVAILABLE = 503 "upstream_unavailable": "the router reaches no copy of the function: nothing was done";
    TOO_MANY_CONNECTIONS = 503 "too_many_connections": "too many connections to the service";
    HOMESERVER_TIMEOUT = 504 "homeserver_timeout": "the homeserver did not answer in time: the outcome is unknown";
    UPSTREAM_TIMEOUT = 504 "upstream_timeout": "a function did not answer in time: the outcome is unknown";
}

/// The codes that any request may get, whatever it asks for.
pub(super) const ANYWHERE: &[Code] = &[
    BAD_REQUEST,
    METHOD_NOT_ALLOWED,
    REQUEST_TIMEOUT,
    URI_TOO_LONG,
    TOO_MANY_CONNECTIONS_OF_ADDRESS,
    HEAD_TOO_LARGE,
    HEADERS_TOO_LARGE,
    INTERNAL_ERROR,
    UPSTREAM_FAILED,
    UPSTREAM_UNAVAILABLE,
    TOO_MANY_CONNECTIONS,
    UPSTREAM_TIMEOUT,
];

/// The codes of a request whose query is parsed.
pub(super) const QUERY: &[Code] = &[INVALID_REQUEST];

/// The codes of a request with a body in JSON.
pub(super) const JSON_BODY: &[Code] = &[
    REQUEST_TIMEOUT,
    BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    UNSUPPORTED_ENCODING,
    INVALID_REQUEST,
    INVALID_JSON,
];

/// The codes of a request with a form.
pub(super) const FORM: &[Code] =
    &[REQUEST_TIMEOUT, BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, UNSUPPORTED_ENCODING, INVALID_REQUEST];

/// The codes of a call that needs the homeserver.
pub const HOMESERVER: &[Code] = &[HOMESERVER_ERROR, HOMESERVER_UNAVAILABLE, HOMESERVER_TIMEOUT];

/// The codes of a refusal by the homeserver that concerns a user or their account.
pub const REFUSED_BY_HOMESERVER: &[Code] =
    &[NOT_ALLOWED_IN_ROOM, USER_BANNED, ACCOUNT_DEACTIVATED, ACCOUNT_SUSPENDED];

/// The codes of a call for a room that the path or the body names.
pub const ROOM: &[Code] = &[NOT_FOUND, ROOM_UPGRADED];

/// Returns each name once, in order.
pub(super) fn unique(mut names: Vec<&'static str>) -> Vec<&'static str> {
    names.sort_unstable();
    names.dedup();
    names
}
