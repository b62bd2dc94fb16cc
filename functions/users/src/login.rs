//! `POST /auth/hub-login`: exchanges a token or a code of the Hub for a token of this service.

use axum::{
    Json,
    body::Bytes,
    extract::{RawQuery, State},
    http::HeaderMap,
};
use messenger_core::{Error, Result};
use messenger_runtime::{
    ApiError, App,
    caller::ClientAddress,
    fields::{Fields, check_content_encoding, query_value},
};

use crate::response::Login;

/// Longest token or code, in characters.
const TOKEN_MAX: usize = 16_384;

/// The proof of the Hub for a user: a token or a code.
pub(crate) enum Sent {
    /// `hub_token`, or `token`.
    Token(String),
    /// `hub_code`, which the Hub exchanges for a token.
    Code(String),
}

/// Signs the bearer of a token of the Hub in, with the name and the role in it. The token stands in the body, as
/// `hub_token` or `token`, or in the query; a code stands in the body.
pub(crate) async fn hub_login(
    State(app): State<App>,
    ClientAddress(client): ClientAddress,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Login>, ApiError> {
    check_content_encoding(&headers)?;
    let refused = |refusal| app.limits.refused(client, refusal);
    let token = match sent(query.as_deref(), &body)? {
        Sent::Token(token) => token,
        Sent::Code(code) => app.exchange_hub_code(&code).await.map_err(|error| match error {
            Error::Unauthenticated { .. } => refused(error),
            error => error,
        })?,
    };
    let shown = app.auth.hub_user(&token).map_err(refused)?;
    let user = app.admit(&shown).await?;
    Ok(Json(Login {
        access_token: app.auth.local_token(&shown, &user.identity, app.messenger.operations().now())?,
        token_type: "bearer",
        matrix_user_id: app.messenger.ids().of(&user),
        display_name: user.display_name,
    }))
}

/// Parses the body.
pub(crate) fn body(mut fields: Fields) -> Result<Option<Sent>> {
    let code = fields.optional_text("hub_code", TOKEN_MAX);
    let token = fields.optional_text("hub_token", TOKEN_MAX);
    let token = token.or_else(|| fields.optional_text("token", TOKEN_MAX));
    if code.is_some() && token.is_some() {
        fields.wrong("hub_code", "is sent together with a token: send one of them");
    }
    fields.finish()?;
    Ok(token.map(Sent::Token).or(code.map(Sent::Code)))
}

fn sent(query: Option<&str>, body: &[u8]) -> Result<Sent> {
    let in_body = if body.trim_ascii().is_empty() { None } else { self::body(Fields::from_json(body)?)? };
    let sent = in_body.or_else(|| query_value(query, "hub_token").map(Sent::Token));
    let sent = sent.map(|sent| match sent {
        Sent::Token(token) => Sent::Token(token.trim().to_owned()),
        Sent::Code(code) => Sent::Code(code.trim().to_owned()),
    });
    sent.filter(|(Sent::Token(text) | Sent::Code(text))| !text.is_empty()).ok_or(Error::Unauthenticated {
        code: "token_missing",
        detail: "the Hub's token is missing: send it as `hub_token` in a JSON body".into(),
    })
}
