//! Extractors for requests of the homeserver: its token, and the events that it pushes.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use http::request::Parts;
use messenger_core::Error;
use messenger_matrix::wire::Transaction;
use subtle::ConstantTimeEq as _;

use crate::{ApiError, App, bearer, fields::query_value};

/// The homeserver, authenticated by its `hs_token`: in the header, or in the query as Conduit sends it.
pub struct HomeserverCaller;

/// A transaction of the homeserver, parsed. Extract [`HomeserverCaller`] before it.
pub struct Pushed(pub Transaction);

impl FromRequestParts<App> for HomeserverCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let in_query = query_value(parts.uri.query(), "access_token");
        let token = bearer(&parts.headers).or(in_query.as_deref());
        let token = token.ok_or(Error::Unauthenticated {
            code: "hs_token_missing",
            detail: "the homeserver's token is missing".into(),
        })?;
        if bool::from(token.as_bytes().ct_eq(app.config.hs_token.as_bytes())) {
            Ok(Self)
        } else {
            let detail = "the homeserver's token is wrong: it must be MATRIX_HS_TOKEN".into();
            let refusal = Error::Forbidden { code: "hs_token_wrong", detail };
            Err(app.limits.refused(app.limits.client(parts), refusal).into())
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Pushed {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let body = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        let transaction = Transaction::parse(&body).map_err(|error| ApiError::from(error).into_response())?;
        Ok(Self(transaction))
    }
}
