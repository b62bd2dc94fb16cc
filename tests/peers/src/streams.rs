//! Many SSE clients in one process: each is a task with a socket and a scanner; threads own the read buffers.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::ledger::{Mark, Receipts, Tally};
use crate::sse::Scanner;
use crate::target::Target;
use messenger_bench::http::Connection;
use messenger_bench::latency::SharedLatencies;
use messenger_devstack::lock;

/// Events of one publisher that may be on their way.
const SLOTS: usize = 1 << 14;
/// Bytes that one read takes at most.
const READ: usize = 256 << 10;
/// Pause of a client before it reconnects.
const RECONNECT: Duration = Duration::from_millis(200);
/// Connections that are opened at the same time.
const CONCURRENT_CONNECTS: usize = 128;
/// Time limit until all streams are open.
const OPEN_TIMEOUT: Duration = Duration::from_mins(2);

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// The record of a measurement, shared by publishers and streams.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) run: u32,
    begin: Instant,
    slots: Vec<Slot>,
    /// The number of streams in the audience.
    pub(crate) audience: u32,
    /// A permit for each event that may be published before another has arrived everywhere.
    pub(crate) window: Semaphore,
    /// Whether latencies are recorded.
    pub(crate) recording: AtomicBool,
    /// From the call to the receipt, for each stream.
    pub(crate) each: SharedLatencies,
    /// From the call to the last receipt.
    pub(crate) last: SharedLatencies,
    pub(crate) delivered: AtomicU64,
    open: AtomicUsize,
    pub(crate) reconnects: AtomicU64,
    pub(crate) resets: AtomicU64,
    /// Errors by text, with their number.
    errors: Mutex<BTreeMap<String, u64>>,
}

/// An event on its way.
#[derive(Debug, Default)]
struct Slot {
    /// The time of publication in nanoseconds after the beginning.
    published: AtomicU64,
    receipts: AtomicU32,
}

impl Recorder {
    pub(crate) fn new(publishers: usize, audience: usize, window: usize) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            run: rand::random(),
            begin: Instant::now(),
            slots: (0..publishers * SLOTS).map(|_| Slot::default()).collect(),
            audience: u32::try_from(audience)?,
            window: Semaphore::new(window),
            recording: AtomicBool::new(false),
            each: SharedLatencies::default(),
            last: SharedLatencies::default(),
            delivered: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            reconnects: AtomicU64::new(0),
            resets: AtomicU64::new(0),
            errors: Mutex::default(),
        }))
    }

    /// Records that an event is about to be published.
    pub(crate) fn record_publication(&self, mark: Mark) {
        let slot = self.slot(mark);
        slot.receipts.store(0, Relaxed);
        slot.published.store(self.now(), Relaxed);
    }

    fn record_receipt(&self, stream: usize, mark: Mark, now: u64) {
        let slot = self.slot(mark);
        let latency = Duration::from_nanos(now.saturating_sub(slot.published.load(Relaxed)));
        let recording = self.recording.load(Relaxed);
        if recording {
            self.each.record(stream, latency);
        }
        if slot.receipts.fetch_add(1, Relaxed) + 1 == self.audience {
            self.window.add_permits(1);
            if recording {
                self.last.record(stream, latency);
            }
        }
    }

    /// Returns the errors of streams, each with its number.
    pub(crate) fn errors(&self) -> Vec<String> {
        lock(&self.errors).iter().map(|(error, times)| format!("{times} × {error}")).collect()
    }

    fn slot(&self, mark: Mark) -> &Slot {
        &self.slots[usize::from(mark.publisher) * SLOTS + mark.number as usize % SLOTS]
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Open streams. Dropping them closes them.
pub(crate) struct Streams {
    tasks: JoinSet<()>,
    receipts: Vec<Arc<Mutex<Receipts>>>,
    target: Arc<Target>,
    pub(crate) recorder: Arc<Recorder>,
    /// The time until all streams were open.
    pub(crate) opened_in: Duration,
}

impl Streams {
    /// Opens streams at a cursor, and waits until all are open. An empty cursor is the end of the event log.
    pub(crate) async fn open(
        target: &Arc<Target>,
        recorder: &Arc<Recorder>,
        count: usize,
        cursor: &[u8],
    ) -> Result<Self> {
        let begin = Instant::now();
        let connects = Arc::new(Semaphore::new(CONCURRENT_CONNECTS));
        let before = recorder.open.load(Relaxed);
        let (mut tasks, mut receipts) = (JoinSet::new(), Vec::new());
        for number in 0..count {
            let client = Client {
                number,
                is_bystander: target.is_bystander(number),
                target: Arc::clone(target),
                recorder: Arc::clone(recorder),
                receipts: Arc::default(),
                scanner: Scanner::default(),
            };
            receipts.push(Arc::clone(&client.receipts));
            tasks.spawn(client.run(Arc::clone(&connects), cursor.to_vec()));
        }
        while recorder.open.load(Relaxed) < before + count {
            if begin.elapsed() > OPEN_TIMEOUT {
                let open = recorder.open.load(Relaxed) - before;
                bail!("only {open} of {count} streams opened: {}", recorder.errors().join(", "));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (target, recorder) = (Arc::clone(target), Arc::clone(recorder));
        Ok(Self { tasks, receipts, target, recorder, opened_in: begin.elapsed() })
    }

    /// Returns the counts of all streams, given how many events each publisher published.
    pub(crate) fn tally(&self, published: &[u32]) -> Tally {
        let mut total = Tally::default();
        for (number, receipts) in self.receipts.iter().enumerate() {
            total += lock(receipts).tally(published, self.target.is_bystander(number));
        }
        total
    }

    /// Returns the cursor at which the first stream began.
    pub(crate) fn cursor(&self) -> Vec<u8> {
        self.receipts.first().map(|receipts| lock(receipts).cursor.clone()).unwrap_or_default()
    }

    /// Closes all streams, and waits until their tasks have ended.
    pub(crate) async fn close(mut self) {
        self.tasks.shutdown().await;
    }
}

struct Client {
    number: usize,
    is_bystander: bool,
    target: Arc<Target>,
    recorder: Arc<Recorder>,
    receipts: Arc<Mutex<Receipts>>,
    scanner: Scanner,
}

impl Client {
    /// Reads the stream for ever, and reconnects with its cursor as a browser does.
    async fn run(mut self, connects: Arc<Semaphore>, mut cursor: Vec<u8>) {
        let mut was_open = false;
        loop {
            let permit = connects.acquire().await;
            let stream = self.connect(&cursor).await;
            drop(permit);
            let error = match stream {
                Ok(stream) => {
                    if std::mem::replace(&mut was_open, true) {
                        self.recorder.reconnects.fetch_add(1, Relaxed);
                    } else {
                        self.recorder.open.fetch_add(1, Relaxed);
                    }
                    self.read(&stream).await
                }
                Err(error) => error,
            };
            *lock(&self.recorder.errors).entry(format!("{error:#}")).or_default() += 1;
            if !self.scanner.last_id().is_empty() {
                cursor = self.scanner.last_id().to_vec();
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }

    async fn connect(&mut self, cursor: &[u8]) -> Result<TcpStream> {
        let mut connection = Connection::open(&self.target.server, self.number).await?;
        let head = connection.head(&self.target.subscription(self.number, cursor)).await?;
        ensure!(head.status == 200, "a stream returned {}", head.status);
        self.scanner = Scanner::new(head.chunked);
        self.receive(&connection.buffer[head.end..]);
        // The head may come alone: the stream is open when it sends its position.
        while self.scanner.last_id().is_empty() && self.target.sends_position {
            connection.buffer.clear();
            connection.read_more().await?;
            self.receive(&connection.buffer);
        }
        self.scanner.last_id().clone_into(&mut lock(&self.receipts).cursor);
        Ok(connection.stream)
    }

    /// Reads until the stream ends. Returns the reason.
    async fn read(&mut self, stream: &TcpStream) -> anyhow::Error {
        loop {
            if let Err(error) = stream.readable().await {
                return error.into();
            }
            let read = BUFFER.with_borrow_mut(|buffer| match stream.try_read(buffer) {
                Ok(0) => bail!("a stream was closed"),
                Ok(length) => {
                    self.receive(&buffer[..length]);
                    Ok(())
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
                Err(error) => Err(error).context("reading a stream"),
            });
            if let Err(error) = read {
                return error;
            }
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        let Self { recorder, number, is_bystander, .. } = self;
        let (now, mut delivered) = (recorder.now(), 0);
        let mut receipts = lock(&self.receipts);
        self.scanner.feed(bytes, &mut |event| match event.mark {
            Some(mark) if mark.run == recorder.run => {
                if receipts.record(mark, event.position) && !*is_bystander {
                    delivered += 1;
                    recorder.record_receipt(*number, mark, now);
                }
            }
            None if event.is_reset => {
                recorder.resets.fetch_add(1, Relaxed);
            }
            Some(_) | None => {}
        });
        if delivered > 0 {
            recorder.delivered.fetch_add(delivered, Relaxed);
        }
    }
}
