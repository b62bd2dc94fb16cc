//! A copy of a function: one address, with its state and the number of its requests in flight.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::{Body, to_bytes};
use http::{
    StatusCode, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::HttpClient;

/// Pause between two probes of a copy.
const PAUSE: Duration = Duration::from_secs(1);
/// The same for a copy that does not answer.
const PAUSE_AWAY: Duration = Duration::from_millis(500);
/// The shortest pause, after a request that failed.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// Time limit of a probe.
const PROBE_WAIT: Duration = Duration::from_secs(2);
/// Most bytes of an answer to a probe that are read, so that its connection is used again.
const ANSWER_MAX: usize = 64 << 10;

/// The state of a copy, the best first: a request goes to a copy in the best state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Its last probe was answered, and not with 503.
    Ready,
    /// It was not probed yet.
    New,
    /// It answers `/readyz` with 503: it drains, or a part of it fails.
    Unready,
    /// It refuses connections, or was silent for too long.
    Away,
}

/// A copy of a function.
#[derive(Debug)]
pub(super) struct FunctionCopy {
    /// The URL of the configuration by which it was found.
    pub(super) origin: Uri,
    pub(super) address: SocketAddr,
    authority: Authority,
    state: AtomicU8,
    in_flight: AtomicUsize,
    probe_now: Notify,
}

/// A request in flight at a copy, until the body of its response has ended. It counts until this is dropped.
#[derive(Debug)]
pub(super) struct InFlight(Arc<FunctionCopy>);

impl State {
    const ALL: [Self; 4] = [Self::Ready, Self::New, Self::Unready, Self::Away];
}

impl FunctionCopy {
    /// Returns a copy that was not probed yet. Returns `None` if the address cannot stand in a URL.
    pub(super) fn new(origin: Uri, address: SocketAddr) -> Option<Self> {
        let authority = address.to_string().parse().ok()?;
        let (state, in_flight) = (AtomicU8::new(State::New as u8), AtomicUsize::new(0));
        Some(Self { origin, address, authority, state, in_flight, probe_now: Notify::new() })
    }

    /// Returns the URL of a path at this copy.
    pub(super) fn at(&self, path: &PathAndQuery) -> Option<Uri> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path.clone());
        Uri::from_parts(parts).ok()
    }

    pub(super) fn state(&self) -> State {
        let state = self.state.load(Ordering::Relaxed);
        State::ALL.get(usize::from(state)).copied().unwrap_or(State::New)
    }

    /// Returns the number of its requests in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Leaves it out until it answers a probe, which comes at once.
    pub(super) fn leave_out(&self) {
        self.set(State::Away);
        self.suspect();
    }

    /// Probes it at once: a request has failed.
    pub(super) fn suspect(&self) {
        self.probe_now.notify_one();
    }

    /// Sets the state, and logs a change.
    pub(super) fn set(&self, state: State) {
        let before = self.state.swap(state as u8, Ordering::Relaxed);
        if before == state as u8 {
            return;
        }
        let (upstream, copy) = (&self.origin, self.address);
        match state {
            State::Away => tracing::warn!(%upstream, %copy, "upstream is away"),
            State::Unready => tracing::warn!(%upstream, %copy, "upstream is not ready"),
            State::Ready if before != State::New as u8 => {
                tracing::info!(%upstream, %copy, "upstream answers again");
            }
            State::Ready | State::New => {}
        }
    }

    /// Probes it for ever, and sets its state.
    pub(super) async fn keep_probing(&self, client: &HttpClient) {
        let Some(readyz) = self.at(&PathAndQuery::from_static("/readyz")) else { return };
        loop {
            let state = probed(client, &readyz).await;
            self.set(state);
            sleep(PAUSE_MIN).await;
            let pause = if state == State::Away { PAUSE_AWAY } else { PAUSE };
            // Another probe is due by the time, or by a request that failed.
            let _ = timeout(pause, self.probe_now.notified()).await;
        }
    }
}

/// Returns the state that the answer to a probe shows.
async fn probed(client: &HttpClient, readyz: &Uri) -> State {
    let probe = async {
        let (head, body) = client.get(readyz.clone()).await.ok()?.into_parts();
        // Only the status of a probe counts.
        let _ = to_bytes(Body::new(body), ANSWER_MAX).await;
        Some(head.status)
    };
    match timeout(PROBE_WAIT, probe).await {
        Ok(Some(StatusCode::SERVICE_UNAVAILABLE)) => State::Unready,
        Ok(Some(_)) => State::Ready,
        Ok(None) | Err(_) => State::Away,
    }
}

impl InFlight {
    pub(super) fn at(copy: Arc<FunctionCopy>) -> Self {
        copy.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(copy)
    }

    pub(super) fn copy(&self) -> &Arc<FunctionCopy> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
