//! One HTTP call to the homeserver: its identity, path, body and response.

use std::{sync::Arc, time::Duration};

use messenger_core::{Error, Result, id::MatrixUserId};
use reqwest::{
    Body, Client, Method, RequestBuilder, Response, Url,
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
    redirect::Policy,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{sync::OnceCell, time::timeout};
use tracing::Instrument as _;

use crate::{
    HomeserverConfig,
    error::{Cause, Refusal},
    outcomes::CallOutcomes,
    path::{Path, Segment},
    spans,
};

/// The device of this service on each account. Without a device, Synapse forgets transaction ids at its
/// restart.
pub(crate) const DEVICE: &str = "HUB";
/// The root of the client-server API.
pub(crate) const V3: &str = "/_matrix/client/v3";
/// The root of the unversioned part of the client-server API.
pub(crate) const UNVERSIONED: &str = "/_matrix/client";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit for the head of the response to a download.
const RESPONSE_TIMEOUT: Duration = Duration::from_mins(1);
/// The time limit for an upload.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(5);
/// The lifetime of an idle connection. Synapse closes connections after one idle minute; ours must be closed
/// before.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const USER_AGENT: &str = concat!("messenger-service/", env!("CARGO_PKG_VERSION"));

/// An HTTP client for one homeserver, with a connection pool. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Http {
    /// Created by the first call, because many processes make none.
    client: Arc<OnceCell<Client>>,
    base: Arc<str>,
    service: HeaderValue,
    pub(crate) server_name: Arc<str>,
    pub(crate) account_key: Arc<str>,
    pub(crate) outcomes: Arc<CallOutcomes>,
}

/// The identity with which a call is made.
#[derive(Clone, Copy)]
enum ActingAs<'a> {
    /// The Application Service itself.
    Service,
    /// A user, for whom the Application Service acts.
    User(&'a MatrixUserId),
    /// A user without a device, which the account may lack.
    Deviceless(&'a MatrixUserId),
    /// The owner of this access token.
    Token(&'a str),
    /// No identity.
    Unauthenticated,
}

/// A builder of one call.
pub(crate) struct Call<'a> {
    http: &'a Http,
    method: Method,
    path: Path,
    query: Vec<(&'static str, &'a str)>,
    body: Result<Option<Vec<u8>>, serde_json::Error>,
    acting_as: ActingAs<'a>,
    timeout: Duration,
}

/// A complete request, which can be sent more than once.
pub(crate) struct Request<'a> {
    method: Method,
    url: String,
    query: Vec<(&'static str, &'a str)>,
    body: Option<Vec<u8>>,
    authorization: Option<HeaderValue>,
    /// The time limit, including the body. `None` leaves the time for the body to its reader.
    timeout: Option<Duration>,
}

impl Http {
    /// Creates the client from a valid configuration. Does no I/O.
    pub(crate) fn new(config: HomeserverConfig) -> Result<Self> {
        let url = Url::parse(&config.homeserver_url).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
        });
        let url = url.ok_or_else(|| Error::invalid("/homeserver_url", "must be an http or https URL"))?;
        Ok(Self {
            client: Arc::default(),
            base: url.as_str().trim_end_matches('/').into(),
            service: bearer(&config.as_token)
                .ok_or_else(|| Error::invalid("/as_token", "must be visible ASCII"))?,
            server_name: config.server_name.into(),
            account_key: config.account_key.into(),
            outcomes: Arc::default(),
        })
    }

    pub(crate) fn get(&self) -> Call<'_> {
        Call::new(self, Method::GET, V3)
    }

    pub(crate) fn put(&self) -> Call<'_> {
        Call::new(self, Method::PUT, V3)
    }

    /// Begins a `POST`. Its body is `{}` unless [`Call::body`] sets another.
    pub(crate) fn post(&self) -> Call<'_> {
        Call { body: Ok(Some(b"{}".to_vec())), ..Call::new(self, Method::POST, V3) }
    }

    pub(crate) fn delete(&self) -> Call<'_> {
        Call::new(self, Method::DELETE, V3)
    }

    /// Sends a request. Returns the parsed body of a successful response.
    pub(crate) async fn exchange<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, Cause> {
        let response = self.request(request, |sent| match &request.body {
            Some(body) => sent.header(CONTENT_TYPE, "application/json").body(body.clone()),
            None => sent,
        });
        Ok(serde_json::from_slice(&response.await?.bytes().await?)?)
    }

    /// Sends a request and counts its outcome. Returns a successful response, whose body is not read yet.
    async fn request(
        &self,
        request: &Request<'_>,
        with_body: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, Cause> {
        let response = self.request_uncounted(request, with_body).await;
        self.outcomes.count(&response);
        response
    }

    async fn request_uncounted(
        &self,
        request: &Request<'_>,
        with_body: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, Cause> {
        let client = self.client.get_or_try_init(async || client(&self.base)).await?;
        let mut sent = client.request(request.method.clone(), &request.url);
        if let Some(timeout) = request.timeout {
            sent = sent.timeout(timeout);
        }
        if !request.query.is_empty() {
            sent = sent.query(&request.query);
        }
        if let Some(authorization) = &request.authorization {
            sent = sent.header(AUTHORIZATION, authorization);
        }
        let span = spans::client(&request.method, &request.url);
        let sent = with_body(sent).send().instrument(span.clone()).await;
        spans::record(&span, sent.as_ref().map(Response::status));
        let response = sent?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(Cause::Refusal(Box::new(Refusal::parse(response).await?)))
        }
    }
}

impl<'a> Call<'a> {
    /// Begins a call by the Application Service itself.
    pub(crate) fn new(http: &'a Http, method: Method, root: &'static str) -> Self {
        Self {
            http,
            method,
            path: Path::below(root),
            query: Vec::new(),
            body: Ok(None),
            acting_as: ActingAs::Service,
            timeout: REQUEST_TIMEOUT,
        }
    }

    /// Appends one segment to the path.
    pub(crate) fn at(self, segment: &(impl Segment + ?Sized)) -> Self {
        Self { path: self.path.at(segment), ..self }
    }

    pub(crate) fn query(mut self, name: &'static str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }

    pub(crate) fn body(self, body: &impl Serialize) -> Self {
        Self { body: serde_json::to_vec(body).map(Some), ..self }
    }

    /// Acts for a user. If the homeserver does not know the account or its device, [`send`](Self::send)
    /// restores it and repeats the call.
    pub(crate) fn by(self, user: &'a MatrixUserId) -> Self {
        Self { acting_as: ActingAs::User(user), ..self }
    }

    /// Acts for a user without a device: the account may not belong to this service.
    pub(crate) fn without_device(self, user: &'a MatrixUserId) -> Self {
        Self { acting_as: ActingAs::Deviceless(user), ..self }
    }

    /// Appends the path of a user's account data, and acts for that user.
    pub(crate) fn account_data(self, user: &'a MatrixUserId, kind: &'static str) -> Self {
        self.at("user").at(user).at("account_data").at(kind).by(user)
    }

    /// Acts for the owner of this access token.
    pub(crate) fn with_token(self, token: &'a str) -> Self {
        Self { acting_as: ActingAs::Token(token), ..self }
    }

    pub(crate) fn unauthenticated(self) -> Self {
        Self { acting_as: ActingAs::Unauthenticated, ..self }
    }

    pub(crate) fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sends the call once: a missing account or device is an error.
    pub(crate) async fn send_once<T: DeserializeOwned>(self) -> Result<T, Cause> {
        let http = self.http;
        http.exchange(&self.finish()?).await
    }

    /// Sends the call with this access token.
    pub(crate) async fn send_with<T: DeserializeOwned>(self, token: &str) -> Result<T, Cause> {
        let http = self.http;
        let mut request = self.unauthenticated().finish()?;
        request.authorization = bearer(token);
        http.exchange(&request).await
    }

    /// Sends the call and returns the response with an unread body. The body has no time limit, since its
    /// reader may forward it to a slow client.
    pub(crate) async fn open(self) -> Result<Response, Cause> {
        let http = self.http;
        let request = Request { timeout: None, ..self.finish()? };
        let response = timeout(RESPONSE_TIMEOUT, http.request_uncounted(&request, |sent| sent)).await;
        let response = response.unwrap_or(Err(Cause::TimedOut));
        http.outcomes.count(&response);
        response
    }

    /// Sends the call with a streamed body. It has a `Content-Length`, because Synapse refuses chunked
    /// bodies.
    pub(crate) async fn upload<T: DeserializeOwned>(
        self,
        content_type: &str,
        size: u64,
        body: Body,
    ) -> Result<T, Cause> {
        let http = self.http;
        let request = self.timeout(UPLOAD_TIMEOUT).finish()?;
        let with_body = |sent: RequestBuilder| {
            sent.header(CONTENT_TYPE, content_type).header(CONTENT_LENGTH, size).body(body)
        };
        Ok(serde_json::from_slice(&http.request(&request, with_body).await?.bytes().await?)?)
    }

    /// Returns the client that sends the call.
    pub(crate) fn http(&self) -> &'a Http {
        self.http
    }

    /// Returns the user for whom the call acts with the device of this service. Returns `None` if it acts
    /// otherwise.
    pub(crate) fn user(&self) -> Option<&'a MatrixUserId> {
        match self.acting_as {
            ActingAs::User(user) => Some(user),
            _ => None,
        }
    }

    /// Completes the request.
    pub(crate) fn finish(self) -> Result<Request<'a>, Cause> {
        let mut query = self.query;
        let authorization = match self.acting_as {
            ActingAs::Service => Some(self.http.service.clone()),
            ActingAs::User(user) => {
                query.extend([("user_id", user.as_str()), ("device_id", DEVICE)]);
                Some(self.http.service.clone())
            }
            ActingAs::Deviceless(user) => {
                query.push(("user_id", user.as_str()));
                Some(self.http.service.clone())
            }
            ActingAs::Token(token) => bearer(token),
            ActingAs::Unauthenticated => None,
        };
        let url = format!("{}{}", self.http.base, self.path.finish()?);
        let (body, timeout) = (self.body?, Some(self.timeout));
        Ok(Request { method: self.method, url, query, body, authorization, timeout })
    }
}

fn client(base: &str) -> Result<Client, reqwest::Error> {
    let client = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .redirect(Policy::none())
        // The homeserver is in the same network: no proxy for the internet is needed.
        .no_proxy();
    // Loading the system's certificates would take milliseconds of each cold start.
    if base.starts_with("http:") { client.tls_certs_only([]) } else { client }.build()
}

/// Returns the header of a token. Returns `None` if a header cannot hold the token.
fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}
