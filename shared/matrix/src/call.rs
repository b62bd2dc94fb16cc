//! One HTTP call to the homeserver: who makes it, where it goes, and what comes back.

use std::{sync::Arc, time::Duration};

use messenger_core::{Error, Result, id::MatrixUserId};
use reqwest::{
    Body, Client, Method, RequestBuilder, Response, Url,
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
    redirect::Policy,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{sync::OnceCell, time::timeout};

use crate::{
    HomeserverConfig,
    error::{Cause, Refusal},
    path::{Path, Segment},
};

/// The one device of every account that we act for. Without a device Synapse forgets transaction ids when it restarts.
pub(crate) const DEVICE: &str = "HUB";
/// The client-server API.
pub(crate) const V3: &str = "/_matrix/client/v3";
/// The part of the client-server API that has no version.
pub(crate) const UNVERSIONED: &str = "/_matrix/client";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it takes at the most until a file begins to come.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a file that is uploaded may take.
const TRANSFER_TIMEOUT: Duration = Duration::from_mins(5);
/// Synapse closes a connection after a minute without requests; ours must be gone before.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const USER_AGENT: &str = concat!("messenger-service/", env!("CARGO_PKG_VERSION"));

/// The homeserver at the other end of one pool of connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Http {
    /// Made by the first call: many processes never make one.
    client: Arc<OnceCell<Client>>,
    base: Arc<str>,
    service: HeaderValue,
    pub(crate) server_name: Arc<str>,
    pub(crate) account_key: Arc<str>,
}

/// Who makes a call.
#[derive(Clone, Copy)]
enum ActingAs<'a> {
    /// The Application Service itself.
    Service,
    /// The Application Service in the name of a user.
    User(&'a MatrixUserId),
    /// The same without a device, which the account may not have.
    Deviceless(&'a MatrixUserId),
    /// Whoever has this token.
    Token(&'a str),
    /// Anybody.
    Nobody,
}

/// A call that is being put together.
pub(crate) struct Call<'a> {
    http: &'a Http,
    method: Method,
    path: Path,
    query: Vec<(&'static str, &'a str)>,
    body: Result<Option<Vec<u8>>, serde_json::Error>,
    caller: ActingAs<'a>,
    within: Duration,
}

/// A call as it goes over the wire, as often as need be.
struct Request<'a> {
    method: Method,
    url: String,
    query: Vec<(&'static str, &'a str)>,
    body: Option<Vec<u8>>,
    authorization: Option<HeaderValue>,
    /// `None`: whoever reads the body decides how long it may take.
    within: Option<Duration>,
}

impl Http {
    /// Checks the configuration. Does no I/O.
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
        })
    }

    pub(crate) fn get(&self) -> Call<'_> {
        Call::new(self, Method::GET, V3)
    }

    pub(crate) fn put(&self) -> Call<'_> {
        Call::new(self, Method::PUT, V3)
    }

    /// A `POST` with an empty object, unless [`Call::body`] says something else.
    pub(crate) fn post(&self) -> Call<'_> {
        Call { body: Ok(Some(b"{}".to_vec())), ..Call::new(self, Method::POST, V3) }
    }

    pub(crate) fn delete(&self) -> Call<'_> {
        Call::new(self, Method::DELETE, V3)
    }

    async fn exchange<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, Cause> {
        let response = self.respond(request, |sent| match &request.body {
            Some(body) => sent.header(CONTENT_TYPE, "application/json").body(body.clone()),
            None => sent,
        });
        Ok(serde_json::from_slice(&response.await?.bytes().await?)?)
    }

    /// A successful answer, whose body is still to be read.
    async fn respond(
        &self,
        request: &Request<'_>,
        with_body: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, Cause> {
        let client = self.client.get_or_try_init(async || client(&self.base)).await?;
        let mut sent = client.request(request.method.clone(), &request.url);
        if let Some(within) = request.within {
            sent = sent.timeout(within);
        }
        if !request.query.is_empty() {
            sent = sent.query(&request.query);
        }
        if let Some(authorization) = &request.authorization {
            sent = sent.header(AUTHORIZATION, authorization);
        }
        let response = with_body(sent).send().await?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(Cause::Refusal(Box::new(Refusal::read(response).await?)))
        }
    }
}

impl<'a> Call<'a> {
    /// By the Application Service itself.
    pub(crate) fn new(http: &'a Http, method: Method, root: &'static str) -> Self {
        Self {
            http,
            method,
            path: Path::below(root),
            query: Vec::new(),
            body: Ok(None),
            caller: ActingAs::Service,
            within: REQUEST_TIMEOUT,
        }
    }

    /// The next part of the path.
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

    /// In the name of a user. Should the homeserver not know the account or its device, they are made and the call is
    /// repeated.
    pub(crate) fn by(self, user: &'a MatrixUserId) -> Self {
        Self { caller: ActingAs::User(user), ..self }
    }

    /// In the name of a user without our device: to look at an account that may be somebody else's.
    pub(crate) fn without_device(self, user: &'a MatrixUserId) -> Self {
        Self { caller: ActingAs::Deviceless(user), ..self }
    }

    /// Some account data of a user, in their name.
    pub(crate) fn account_data(self, user: &'a MatrixUserId, kind: &'static str) -> Self {
        self.at("user").at(user).at("account_data").at(kind).by(user)
    }

    /// By whoever has this token.
    pub(crate) fn with_token(self, token: &'a str) -> Self {
        Self { caller: ActingAs::Token(token), ..self }
    }

    pub(crate) fn by_nobody(self) -> Self {
        Self { caller: ActingAs::Nobody, ..self }
    }

    pub(crate) fn within(self, time: Duration) -> Self {
        Self { within: time, ..self }
    }

    /// Makes the call. What of the answer is of no interest is `serde::de::IgnoredAny`.
    pub(crate) async fn send<T: DeserializeOwned>(self) -> Result<T, Cause> {
        let (http, caller) = (self.http, self.caller);
        let request = self.finish()?;
        match (http.exchange(&request).await, caller) {
            (Err(cause), ActingAs::User(user)) if http.mend_account(user, &cause).await? => {
                http.exchange(&request).await
            }
            (result, _) => result,
        }
    }

    /// Makes the call and mends nothing.
    pub(crate) async fn send_as_it_is<T: DeserializeOwned>(self) -> Result<T, Cause> {
        let http = self.http;
        http.exchange(&self.finish()?).await
    }

    /// Makes the call with another token.
    pub(crate) async fn send_with<T: DeserializeOwned>(self, token: &str) -> Result<T, Cause> {
        let http = self.http;
        let mut request = self.by_nobody().finish()?;
        request.authorization = bearer(token);
        http.exchange(&request).await
    }

    /// Makes the call and hands over the answer as it comes. How long its body takes is up to whoever reads it: they may
    /// pass it on to somebody slow.
    pub(crate) async fn open(self) -> Result<Response, Cause> {
        let http = self.http;
        let request = Request { within: None, ..self.finish()? };
        timeout(ANSWER_TIMEOUT, http.respond(&request, |sent| sent)).await.map_err(|_| Cause::Late)?
    }

    /// Makes the call with a body that passes through. Its size is said beforehand: Synapse takes nothing else.
    pub(crate) async fn pass<T: DeserializeOwned>(
        self,
        content_type: &str,
        size: u64,
        body: Body,
    ) -> Result<T, Cause> {
        let http = self.http;
        let request = self.within(TRANSFER_TIMEOUT).finish()?;
        let with_body = |sent: RequestBuilder| {
            sent.header(CONTENT_TYPE, content_type).header(CONTENT_LENGTH, size).body(body)
        };
        Ok(serde_json::from_slice(&http.respond(&request, with_body).await?.bytes().await?)?)
    }

    fn finish(self) -> Result<Request<'a>, Cause> {
        let mut query = self.query;
        let authorization = match self.caller {
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
            ActingAs::Nobody => None,
        };
        let url = format!("{}{}", self.http.base, self.path.finish()?);
        let (body, within) = (self.body?, Some(self.within));
        Ok(Request { method: self.method, url, query, body, authorization, within })
    }
}

fn client(base: &str) -> Result<Client, reqwest::Error> {
    let client = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .redirect(Policy::none())
        // The homeserver is beside us; a proxy for the internet would only be in the way.
        .no_proxy();
    // Reading the system's certificates takes milliseconds of every cold start.
    if base.starts_with("http:") { client.tls_certs_only([]) } else { client }.build()
}

/// `None`: no header can hold it.
fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}
