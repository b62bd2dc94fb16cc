//! `POST /auth/hub-login`: exchanges a token of the Hub for one of this service.

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

/// Longest token, in characters.
const TOKEN_MAX: usize = 16_384;

/// Signs the bearer of a token of the Hub in, with the name and the role in it. The token stands in the body,
/// as `hub_token` or `token`, or in the query.
pub(crate) async fn hub_login(
    State(app): State<App>,
    ClientAddress(client): ClientAddress,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Login>, ApiError> {
    check_content_encoding(&headers)?;
    let token = token(query.as_deref(), &body)?;
    let shown = app.auth.hub_user(&token).map_err(|refusal| app.limits.refused(client, refusal))?;
    let user = app.admit(&shown).await?;
    Ok(Json(Login {
        access_token: app.auth.local_token(&shown, &user.identity, app.messenger.operations().now())?,
        token_type: "bearer",
        matrix_user_id: app.messenger.ids().of(&user),
        display_name: user.display_name,
    }))
}

/// Parses the body.
pub(crate) fn tokens(mut fields: Fields) -> Result<Option<String>> {
    let token = fields.optional_text("hub_token", TOKEN_MAX);
    let token = token.or_else(|| fields.optional_text("token", TOKEN_MAX));
    fields.finish()?;
    Ok(token)
}

fn token(query: Option<&str>, body: &[u8]) -> Result<String> {
    let in_body = if body.trim_ascii().is_empty() { None } else { tokens(Fields::from_json(body)?)? };
    let token = in_body.or_else(|| query_value(query, "hub_token"));
    token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()).ok_or(
        Error::Unauthenticated {
            code: "token_missing",
            detail: "the Hub's token is missing: send it as `hub_token` in a JSON body".into(),
        },
    )
}
