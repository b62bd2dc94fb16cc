//! The copies of a function: all addresses of the names in its variable. Names are looked up every few
//! seconds, so that copies come and go without a restart of the router.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Once,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::{
    HttpClient,
    copy::{FunctionCopy, InFlight, State},
    origin::Origin,
};

/// Pause between two lookups.
const PAUSE: Duration = Duration::from_secs(2);
/// The shortest pause, after a copy that refused a connection.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// The longest time for which a request without a copy waits for a lookup.
const REQUEST_WAIT: Duration = Duration::from_secs(1);
/// The copies of one function.
pub(super) struct Copies {
    origins: Vec<Origin>,
    client: HttpClient,
    known: watch::Sender<Known>,
    look_up_now: Notify,
    started: Once,
    next: AtomicUsize,
}

/// The result of the lookups until now.
#[derive(Clone, Default)]
struct Known {
    copies: Arc<[Arc<FunctionCopy>]>,
    /// The number of lookups.
    lookups: u64,
}

/// A copy that is probed until this is dropped.
struct Probed {
    copy: Arc<FunctionCopy>,
    probing: AbortHandle,
}

impl Copies {
    /// Parses `http://a:8000,http://b:8000`.
    pub(super) fn parse(urls: &str, client: HttpClient) -> Result<Self, String> {
        Ok(Self {
            origins: urls.split(',').map(|url| Origin::parse(url.trim())).collect::<Result<_, _>>()?,
            client,
            known: watch::Sender::default(),
            look_up_now: Notify::new(),
            started: Once::new(),
            next: AtomicUsize::new(0),
        })
    }

    /// Returns the best copy that is not among `tried`, for one request: among those in the best state the one
    /// with the fewest requests in flight, and of equal ones each in turn. Returns `None` if there is no other
    /// copy, after a lookup.
    pub(super) async fn best(self: &Arc<Self>, tried: &[Arc<FunctionCopy>]) -> Option<InFlight> {
        self.started.call_once(|| {
            let copies = self.clone();
            tokio::spawn(async move { copies.keep_looking_up().await });
        });
        if let Some(best) = self.best_known(tried) {
            return Some(best);
        }
        let mut known = self.known.subscribe();
        let before = known.borrow().lookups;
        if before > 0 && self.origins.iter().all(Origin::is_address) {
            return None;
        }
        self.look_up_now.notify_one();
        let _ = timeout(REQUEST_WAIT, known.wait_for(|known| known.lookups > before)).await;
        self.best_known(tried)
    }

    fn best_known(&self, tried: &[Arc<FunctionCopy>]) -> Option<InFlight> {
        let copies = self.known.borrow().copies.clone();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        best_of(&copies, tried, first).cloned().map(InFlight::at)
    }

    /// Looks the names up at once: a copy refused a connection.
    pub(super) fn look_up_now(&self) {
        self.look_up_now.notify_one();
    }

    /// Looks the names up for ever, and probes the copies.
    async fn keep_looking_up(&self) {
        let mut copies: Vec<Probed> = Vec::new();
        let mut is_failing = false;
        loop {
            let mut found = Vec::new();
            let mut failure = None;
            for origin in &self.origins {
                match origin.addresses().await {
                    Ok(addresses) => found.extend(addresses.into_iter().map(|one| (origin, one))),
                    Err(error) => {
                        found.extend(answering(&copies, origin).map(|one| (origin, one)));
                        failure = Some((&origin.url, error));
                    }
                }
            }
            if let Some((upstream, error)) = &failure
                && !is_failing
            {
                tracing::warn!(%upstream, %error, "looking up an upstream failed");
            }
            is_failing = failure.is_some();
            self.replace(&mut copies, &found);
            sleep(PAUSE_MIN).await;
            let _ = timeout(PAUSE, self.look_up_now.notified()).await;
        }
    }

    /// Keeps the copies that were found again, with their state, and adds the new ones. Requests in flight at
    /// the others go on.
    fn replace(&self, copies: &mut Vec<Probed>, found: &[(&Origin, SocketAddr)]) {
        let before = copies.len();
        copies.retain(|Probed { copy, .. }| found.iter().any(|(_, address)| *address == copy.address));
        let mut is_changed = copies.len() != before;
        for (origin, address) in found {
            if copies.iter().all(|Probed { copy, .. }| copy.address != *address)
                && let Some(copy) = FunctionCopy::new(origin.url.clone(), *address)
            {
                copies.push(Probed::begin(Arc::new(copy), self.client.clone()));
                is_changed = true;
            }
        }
        if is_changed {
            let addresses: Vec<_> = copies.iter().map(|one| one.copy.address.to_string()).collect();
            let upstream = self.origins.first().map(|origin| origin.url.to_string());
            tracing::info!(upstream, copies = addresses.join(" "), "upstream has other copies");
        }
        let all = is_changed.then(|| copies.iter().map(|one| one.copy.clone()).collect());
        self.known.send_modify(|known| {
            known.lookups += 1;
            known.copies = all.unwrap_or_else(|| known.copies.clone());
        });
    }
}

/// Returns the best copy. Ties go to the first one from position `first` on.
fn best_of<'a>(
    copies: &'a [Arc<FunctionCopy>],
    tried: &[Arc<FunctionCopy>],
    first: usize,
) -> Option<&'a Arc<FunctionCopy>> {
    let (before, from) = copies.split_at(first.checked_rem(copies.len()).unwrap_or_default());
    let in_turn = from.iter().chain(before);
    let untried = in_turn.filter(|copy| !tried.iter().any(|tried| Arc::ptr_eq(tried, copy)));
    untried.min_by_key(|copy| (copy.state(), copy.in_flight()))
}

/// Returns the addresses of a name that cannot be looked up now: those of before that answer.
fn answering<'a>(copies: &'a [Probed], origin: &'a Origin) -> impl Iterator<Item = SocketAddr> + 'a {
    let copies = copies.iter().map(|one| &one.copy).filter(|copy| copy.origin == origin.url);
    copies.filter(|copy| copy.state() != State::Away).map(|copy| copy.address)
}

impl Probed {
    fn begin(copy: Arc<FunctionCopy>, client: HttpClient) -> Self {
        let probed = copy.clone();
        let probing = tokio::spawn(async move { probed.keep_probing(&client).await }).abort_handle();
        Self { copy, probing }
    }
}

impl Drop for Probed {
    fn drop(&mut self) {
        self.probing.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::Uri;

    use super::*;

    fn copies(number: u8) -> Vec<Arc<FunctionCopy>> {
        let copy = |n| FunctionCopy::new(Uri::from_static("http://rooms:8000"), ([10, 0, 0, n], 8000).into());
        (1..=number).map(|n| Arc::new(copy(n).unwrap())).collect()
    }

    fn number(copy: Option<&Arc<FunctionCopy>>) -> Option<u8> {
        match copy?.address.ip() {
            IpAddr::V4(address) => Some(address.octets()[3]),
            IpAddr::V6(_) => None,
        }
    }

    #[test]
    fn a_request_goes_to_the_copy_with_the_fewest_in_flight_and_equal_ones_take_turns() {
        let copies = copies(3);
        let in_turn: Vec<_> = (0..4).map(|n| number(best_of(&copies, &[], n))).collect();
        assert_eq!(in_turn, [Some(1), Some(2), Some(3), Some(1)]);
        let busy = [InFlight::at(copies[0].clone()), InFlight::at(copies[2].clone())];
        assert!((0..4).all(|n| number(best_of(&copies, &[], n)) == Some(2)));
        let more = [InFlight::at(copies[1].clone()), InFlight::at(copies[1].clone())];
        let in_turn: Vec<_> = (0..3).map(|n| number(best_of(&copies, &[], n))).collect();
        assert_eq!(in_turn, [Some(1), Some(3), Some(3)]);
        drop((busy, more));
        assert!(copies.iter().all(|copy| copy.in_flight() == 0));
    }

    #[test]
    fn a_copy_in_a_worse_state_gets_requests_only_without_a_better_one() {
        let copies = copies(4);
        for (copy, state) in copies.iter().zip([State::Away, State::Unready, State::Ready, State::New]) {
            copy.set(state);
        }
        let _busy = InFlight::at(copies[2].clone());
        let mut tried = Vec::new();
        let mut order = Vec::new();
        while let Some(best) = best_of(&copies, &tried, 7) {
            order.push(number(Some(best)));
            tried.push(best.clone());
        }
        assert_eq!(order, [Some(3), Some(4), Some(2), Some(1)]);
        assert!(best_of(&[], &[], 1).is_none());
    }

    #[tokio::test]
    async fn addresses_that_are_found_again_keep_their_state_and_others_come_and_go() {
        let client = super::super::client();
        let copies = Copies::parse("http://rooms:8000", client).unwrap();
        let origin = Origin::parse("http://rooms:8000").unwrap();
        let found = |numbers: &[u8]| {
            let address = |n: &u8| (&origin, SocketAddr::from(([10, 0, 0, *n], 8000)));
            numbers.iter().map(address).collect::<Vec<_>>()
        };
        let known = || {
            let known = copies.known.borrow().copies.clone();
            known.iter().map(|copy| number(Some(copy))).collect::<Vec<_>>()
        };
        let mut probed = Vec::new();
        copies.replace(&mut probed, &found(&[1, 2, 2]));
        assert_eq!(known(), [Some(1), Some(2)]);
        let first = probed[0].copy.clone();
        let in_flight = InFlight::at(first.clone());
        copies.replace(&mut probed, &found(&[3, 1]));
        assert_eq!(known(), [Some(1), Some(3)]);
        assert!(Arc::ptr_eq(&probed[0].copy, &first) && first.in_flight() == 1);
        copies.replace(&mut probed, &found(&[]));
        assert!(known().is_empty() && copies.known.borrow().lookups == 3);
        drop(in_flight);
        assert_eq!(first.in_flight(), 0, "what it had in flight has ended");
    }

    #[tokio::test]
    async fn a_lookup_that_fails_keeps_the_copies_that_answer() {
        let client = super::super::client();
        let copies = Copies::parse("http://rooms:8000", client).unwrap();
        let (rooms, other) = (Origin::parse("http://rooms:8000"), Origin::parse("http://other:8000"));
        let (rooms, other) = (rooms.unwrap(), other.unwrap());
        let address = |n: u8| SocketAddr::from(([10, 0, 0, n], 8000));
        let mut probed = Vec::new();
        copies.replace(&mut probed, &[(&rooms, address(1)), (&rooms, address(2)), (&other, address(3))]);
        probed[0].copy.set(State::Away);
        assert_eq!(answering(&probed, &rooms).collect::<Vec<_>>(), [address(2)]);
    }
}
