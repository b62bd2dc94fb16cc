//! Exchanges codes of the Hub for its tokens, as a client of OAuth 2.0 (RFC 6749, section 4.1.3).

use std::time::Duration;

use messenger_core::{
    Error, Result,
    error::{Failure, System},
};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header::CONTENT_TYPE, redirect::Policy};
use serde::Deserialize;

use crate::{App, config::TokenEndpoint};

/// The time limit of an exchange. A person waits for it.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// The largest answer, in bytes. A token is smaller.
const ANSWER_MAX: usize = 64 * 1024;
const CONTEXT: &str = "exchanging a code for a token";

/// An answer with a token (RFC 6749, section 5.1).
#[derive(Deserialize)]
struct Granted {
    access_token: String,
}

/// A refusal (RFC 6749, section 5.2).
#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl App {
    /// Exchanges a code of the Hub for its token, which is not verified yet. The Hub accepts a code once.
    ///
    /// # Errors
    /// Returns `Unauthenticated` if the Hub does not accept the code, `Forbidden` if codes are not accepted here,
    /// and a fault of the Hub in all other cases.
    pub async fn exchange_hub_code(&self, code: &str) -> Result<String> {
        let endpoint = self.config.hub_token_endpoint.as_ref().ok_or(Error::Forbidden {
            code: "hub_codes_off",
            detail: "codes of the Hub are not accepted here: the service has no HUB_TOKEN_URL".into(),
        })?;
        let request =
            request(endpoint, code).map_err(|error| Error::internal("making an HTTP client", error))?;
        let answer = request.send().await.map_err(fault)?;
        let status = answer.status();
        let body = body(answer).await?;
        if status.is_success() {
            return serde_json::from_slice::<Granted>(&body)
                .map(|granted| granted.access_token)
                .map_err(|error| Error::fault(System::Hub, Failure::Broken, CONTEXT, error));
        }
        Err(refusal(status, &body))
    }
}

/// Returns the token request. A client with a secret authenticates by HTTP Basic, another one names itself in
/// the form (section 2.3.1).
fn request(endpoint: &TokenEndpoint, code: &str) -> Result<RequestBuilder, reqwest::Error> {
    // The Hub is in the same network: no proxy for the internet is needed.
    let client = Client::builder().timeout(TIME_LIMIT).redirect(Policy::none()).no_proxy();
    // Loading the system's certificates takes milliseconds.
    let client = if endpoint.url.starts_with("http:") { client.tls_certs_only([]) } else { client };
    let request = client.build()?.post(&endpoint.url);
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code").append_pair("code", code);
    let request = if let Some(secret) = &endpoint.client_secret {
        request.basic_auth(encoded(&endpoint.client_id), Some(encoded(secret)))
    } else {
        form.append_pair("client_id", &endpoint.client_id);
        request
    };
    Ok(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.finish()))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn body(mut answer: Response) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(fault)? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_MAX {
            return Err(Error::fault(System::Hub, Failure::Broken, CONTEXT, "the answer is too large"));
        }
    }
    Ok(body)
}

/// Returns the error of an answer without a token. `invalid_grant` is the fault of the code, any other one is
/// of the Hub or of the configuration.
fn refusal(status: StatusCode, body: &[u8]) -> Error {
    match serde_json::from_slice::<Refused>(body).map(|refused| refused.error) {
        Ok(error) if error == "invalid_grant" => Error::Unauthenticated {
            code: "hub_code_invalid",
            detail: "the Hub does not accept the code: it was used before, or has expired; sign in at the Hub again"
                .into(),
        },
        Ok(error) => {
            let cause = format!("it answered {status}, {error:?}: check HUB_CLIENT_ID and HUB_CLIENT_SECRET");
            Error::fault(System::Hub, Failure::Rejected, CONTEXT, cause)
        }
        Err(_) => {
            let cause = format!("it answered {status} without an error of OAuth: check HUB_TOKEN_URL");
            Error::fault(System::Hub, Failure::Broken, CONTEXT, cause)
        }
    }
}

fn fault(error: reqwest::Error) -> Error {
    let failure = if error.is_connect() {
        Failure::Unreachable
    } else if error.is_timeout() {
        Failure::TimedOut
    } else {
        Failure::Broken
    };
    Error::fault(System::Hub, failure, CONTEXT, error)
}
