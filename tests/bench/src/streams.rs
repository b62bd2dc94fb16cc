//! Many streams in one process: a socket and a scanner each, and nothing that is paid for twice.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::http::Head;
use crate::latency::Shared;
use crate::ledger::{Account, Mark, Tally};
use crate::sse::{Kind, Scanner};
use crate::target::Target;

/// Of each publisher, so many events may be on their way at once.
const WINDOW: usize = 1 << 14;
/// What is read from a socket at once.
const READ: usize = 256 << 10;
/// How long a stream that was cut off waits before it returns.
const RETURN: Duration = Duration::from_millis(200);
/// So many connections are being opened at once.
const OPENING: usize = 128;
/// How long all streams together may take to open.
const PATIENCE: Duration = Duration::from_mins(2);

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// What publishers and streams share.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) run: u32,
    begin: Instant,
    /// When each event on its way was published, in nanoseconds after `begin`, and how many have it.
    sent: Vec<AtomicU64>,
    seen: Vec<AtomicU32>,
    /// How many shall hear each event.
    pub(crate) listeners: u32,
    /// A permit for each event that may still be published before another has arrived everywhere.
    pub(crate) window: Semaphore,
    recording: AtomicBool,
    /// From the call to the receipt, at each stream.
    pub(crate) each: Shared,
    /// From the call to the last receipt.
    pub(crate) last: Shared,
    pub(crate) delivered: AtomicU64,
    open: AtomicUsize,
    pub(crate) returns: AtomicU64,
    pub(crate) resets: AtomicU64,
    /// What went wrong, with how often.
    problems: Mutex<BTreeMap<String, u64>>,
}

impl Board {
    pub(crate) fn new(publishers: usize, listeners: usize, window: usize) -> Result<Arc<Self>> {
        let slots = publishers * WINDOW;
        Ok(Arc::new(Self {
            run: rand::random(),
            begin: Instant::now(),
            sent: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            seen: (0..slots).map(|_| AtomicU32::new(0)).collect(),
            listeners: u32::try_from(listeners)?,
            window: Semaphore::new(window),
            recording: AtomicBool::new(false),
            each: Shared::default(),
            last: Shared::default(),
            delivered: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            returns: AtomicU64::new(0),
            resets: AtomicU64::new(0),
            problems: Mutex::default(),
        }))
    }

    fn slot(mark: Mark) -> usize {
        usize::from(mark.publisher) * WINDOW + mark.number as usize % WINDOW
    }

    /// Notes that an event is about to be published.
    pub(crate) fn publishing(&self, mark: Mark) {
        let slot = Self::slot(mark);
        self.seen[slot].store(0, Relaxed);
        self.sent[slot].store(self.now(), Relaxed);
    }

    /// From now on receipts are measured.
    pub(crate) fn record(&self, recording: bool) {
        self.recording.store(recording, Relaxed);
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.recording.load(Relaxed)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn received(&self, stream: usize, mark: Mark, now: u64) {
        let slot = Self::slot(mark);
        let latency = Duration::from_nanos(now.saturating_sub(self.sent[slot].load(Relaxed)));
        let recording = self.is_recording();
        if recording {
            self.each.shard(stream).record(latency);
        }
        if self.seen[slot].fetch_add(1, Relaxed) + 1 == self.listeners {
            self.window.add_permits(1);
            if recording {
                self.last.shard(stream).record(latency);
            }
        }
    }

    pub(crate) fn problem(&self, problem: &anyhow::Error) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        *problems.entry(format!("{problem:#}")).or_default() += 1;
    }

    /// What went wrong, with how often.
    pub(crate) fn problems(&self) -> Vec<String> {
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.iter().map(|(problem, times)| format!("{times} × {problem}")).collect()
    }
}

/// Open streams. Dropping them closes them.
pub(crate) struct Streams {
    tasks: JoinSet<()>,
    accounts: Vec<Arc<Mutex<Account>>>,
    target: Arc<Target>,
    pub(crate) board: Arc<Board>,
    /// How long it took until all were open.
    pub(crate) opened_in: Duration,
}

impl Streams {
    /// Opens `count` streams, and waits until all are open.
    pub(crate) async fn open(target: &Arc<Target>, board: &Arc<Board>, count: usize) -> Result<Self> {
        Self::open_after(target, board, 0..count, b"").await
    }

    /// The same with a cursor.
    pub(crate) async fn open_after(
        target: &Arc<Target>,
        board: &Arc<Board>,
        numbers: std::ops::Range<usize>,
        cursor: &[u8],
    ) -> Result<Self> {
        let begin = Instant::now();
        let count = numbers.len();
        let accounts: Vec<_> = (0..count).map(|_| Arc::new(Mutex::new(Account::default()))).collect();
        let opening = Arc::new(Semaphore::new(OPENING));
        let before = board.open.load(Relaxed);
        let mut tasks = JoinSet::new();
        for (number, account) in numbers.zip(&accounts) {
            let stream = Stream {
                number,
                target: Arc::clone(target),
                board: Arc::clone(board),
                account: Arc::clone(account),
                scanner: Scanner::default(),
            };
            tasks.spawn(stream.follow(Arc::clone(&opening), cursor.to_vec()));
        }
        let mut streams = Self {
            tasks,
            accounts,
            target: Arc::clone(target),
            board: Arc::clone(board),
            opened_in: Duration::ZERO,
        };
        while board.open.load(Relaxed) < before + count {
            if begin.elapsed() > PATIENCE {
                let open = board.open.load(Relaxed) - before;
                bail!("only {open} of {count} streams opened: {}", board.problems().join(", "));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        streams.opened_in = begin.elapsed();
        Ok(streams)
    }

    /// The counts of all streams together, given how many events each publisher published.
    pub(crate) fn settle(&self, published: &[u32]) -> Tally {
        let accounts = self.accounts.iter().enumerate();
        accounts.fold(Tally::default(), |tally, (number, account)| {
            let account = account.lock().unwrap_or_else(PoisonError::into_inner);
            tally.plus(account.settle(published, self.target.is_bystander(number)))
        })
    }

    /// Some stream's cursor: what it was told when it was opened.
    pub(crate) fn cursor(&self) -> Vec<u8> {
        let cursors = self
            .accounts
            .iter()
            .map(|account| account.lock().unwrap_or_else(PoisonError::into_inner).cursor.clone());
        cursors.into_iter().next().unwrap_or_default()
    }

    /// How many shall hear what is published.
    pub(crate) fn listeners(&self) -> usize {
        listeners(&self.target, self.accounts.len())
    }

    /// Closes all, and waits for it.
    pub(crate) async fn close(mut self) {
        self.tasks.shutdown().await;
    }
}

/// How many of so many streams shall hear what is published.
pub(crate) fn listeners(target: &Target, count: usize) -> usize {
    (0..count).filter(|number| !target.is_bystander(*number)).count()
}

struct Stream {
    number: usize,
    target: Arc<Target>,
    board: Arc<Board>,
    account: Arc<Mutex<Account>>,
    scanner: Scanner,
}

impl Stream {
    /// Follows for ever: who is cut off returns with its cursor, as a browser does.
    async fn follow(mut self, opening: Arc<Semaphore>, mut cursor: Vec<u8>) {
        let mut was_open = false;
        loop {
            let permit = opening.acquire().await;
            let socket = self.open(&cursor).await;
            drop(permit);
            match socket {
                Ok(socket) => {
                    if std::mem::replace(&mut was_open, true) {
                        self.board.returns.fetch_add(1, Relaxed);
                    } else {
                        self.board.open.fetch_add(1, Relaxed);
                    }
                    let error = self.read(&socket).await;
                    self.board.problem(&error);
                }
                Err(error) => self.board.problem(&error),
            }
            if !self.scanner.last_id().is_empty() {
                cursor = self.scanner.last_id().to_vec();
            }
            tokio::time::sleep(RETURN).await;
        }
    }

    async fn open(&mut self, cursor: &[u8]) -> Result<TcpStream> {
        let mut socket = self.target.server.connect(self.number).await?;
        socket.write_all(&self.target.follow(self.number, cursor)).await.context("asking for a stream")?;
        let mut first = Vec::with_capacity(1024);
        let head = loop {
            ensure!(
                socket.read_buf(&mut first).await.context("opening a stream")? > 0,
                "closed while opening"
            );
            if let Some(head) = Head::parse(&first)? {
                break head;
            }
        };
        ensure!(head.status == 200, "a stream was answered {}", head.status);
        self.scanner = Scanner::new(head.chunked);
        self.take(&first[head.end..]);
        // The head may come alone: a stream is open when it says so.
        while self.scanner.last_id().is_empty() && self.target.tells_position() {
            let mut more = Vec::with_capacity(1024);
            ensure!(
                socket.read_buf(&mut more).await.context("opening a stream")? > 0,
                "closed while opening"
            );
            self.take(&more);
        }
        self.scanner.last_id().clone_into(&mut self.account().cursor);
        Ok(socket)
    }

    async fn read(&mut self, socket: &TcpStream) -> anyhow::Error {
        loop {
            if let Err(error) = socket.readable().await {
                return error.into();
            }
            let read = BUFFER.with_borrow_mut(|buffer| match socket.try_read(buffer) {
                Ok(0) => bail!("a stream was closed"),
                Ok(length) => {
                    self.take(&buffer[..length]);
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

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&mut self, bytes: &[u8]) {
        let (board, number) = (&self.board, self.number);
        let now = board.now();
        let bystander = self.target.is_bystander(number);
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        let mut delivered = 0;
        self.scanner.feed(bytes, &mut |event| match event.mark {
            Some(mark) if mark.run == board.run => {
                if account.note(mark, event.position) && !bystander {
                    delivered += 1;
                    board.received(number, mark, now);
                }
            }
            None if event.kind == Kind::Reset => {
                board.resets.fetch_add(1, Relaxed);
            }
            Some(_) | None => {}
        });
        if delivered > 0 {
            board.delivered.fetch_add(delivered, Relaxed);
        }
    }
}
