//! Buffers the bytes that wait for one connection. The buffer is bounded, and is read in one piece.

use std::{
    collections::VecDeque,
    mem,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};

use crate::live::lock::lock;

/// The most bytes that may wait for one reader. A slower reader is disconnected and resumes from its cursor.
const WAITING_MAX: usize = 512 << 10;

/// The most waiting bytes at which an offered frame is added, so that it never disconnects a reader.
const OFFERED_MAX: usize = WAITING_MAX / 8;

/// The reason for the end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The connection ends after the waiting bytes are written.
    Regular,
    /// The connection ends at once, because the reader is too slow.
    TooSlow,
}

/// The send buffer of one connection.
#[derive(Default)]
pub(crate) struct SendBuffer(Mutex<Contents>);

#[derive(Default)]
struct Contents {
    waiting: VecDeque<Bytes>,
    bytes: usize,
    /// `true` if offered frames are refused.
    declines_offers: bool,
    end: Option<End>,
    reader: Option<Waker>,
}

impl SendBuffer {
    /// Adds bytes. Returns `false` if the buffer is full, because the reader is too slow.
    pub(crate) fn put(&self, bytes: Bytes) -> bool {
        let mut contents = self.contents();
        if contents.bytes + bytes.len() > WAITING_MAX {
            return false;
        }
        contents.bytes += bytes.len();
        contents.waiting.push_back(bytes);
        notify_reader(contents);
        true
    }

    /// Adds bytes that may be lost, if the buffer is nearly empty.
    pub(crate) fn offer(&self, bytes: Bytes) {
        let mut contents = self.contents();
        if contents.declines_offers || contents.bytes + bytes.len() > OFFERED_MAX {
            return;
        }
        contents.bytes += bytes.len();
        contents.waiting.push_back(bytes);
        notify_reader(contents);
    }

    /// Refuses offered bytes from now on.
    pub(crate) fn decline(&self) {
        self.contents().declines_offers = true;
    }

    /// Closes the buffer after a final frame.
    pub(crate) fn close(&self, end: End, final_frame: Option<Bytes>) {
        let mut contents = self.contents();
        contents.waiting.extend(final_frame);
        if end == End::TooSlow {
            contents.waiting = VecDeque::new();
        }
        contents.end = Some(end);
        notify_reader(contents);
    }

    /// Takes all waiting bytes in one piece. Returns `None` if the buffer is closed and empty.
    pub(crate) fn poll_take(&self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut contents = self.contents();
        if contents.waiting.is_empty() {
            if contents.end.is_some() {
                return Poll::Ready(None);
            }
            if !contents.reader.as_ref().is_some_and(|reader| reader.will_wake(context.waker())) {
                contents.reader = Some(context.waker().clone());
            }
            return Poll::Pending;
        }
        let waiting = mem::take(&mut contents.waiting);
        let bytes = mem::take(&mut contents.bytes);
        drop(contents);
        Poll::Ready(Some(one_piece(waiting, bytes)))
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        lock(&self.0)
    }
}

/// Wakes the reader after the lock is released.
fn notify_reader(mut contents: MutexGuard<'_, Contents>) {
    let reader = contents.reader.take();
    drop(contents);
    if let Some(reader) = reader {
        reader.wake();
    }
}

/// Joins frames. A single frame stays the bytes that all its readers share.
fn one_piece(mut waiting: VecDeque<Bytes>, bytes: usize) -> Bytes {
    match waiting.pop_front() {
        Some(only) if waiting.is_empty() => only,
        Some(first) => {
            let mut piece = BytesMut::with_capacity(bytes);
            piece.extend_from_slice(&first);
            for frame in waiting {
                piece.extend_from_slice(&frame);
            }
            piece.freeze()
        }
        None => Bytes::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(send_buffer: &SendBuffer) -> Option<usize> {
        match send_buffer.poll_take(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(piece) => piece.map(|piece| piece.len()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn an_offered_frame_is_added_while_the_buffer_is_nearly_empty() {
        let send_buffer = SendBuffer::default();
        for _ in 0..2 {
            send_buffer.offer(Bytes::from(vec![b'x'; OFFERED_MAX / 2 + 1]));
        }
        assert!(send_buffer.put(Bytes::from_static(b"put")));
        assert_eq!(taken(&send_buffer), Some(OFFERED_MAX / 2 + 1 + 3));
    }

    #[test]
    fn a_reader_that_declines_offers_is_not_woken_by_one() {
        let send_buffer = SendBuffer::default();
        send_buffer.decline();
        send_buffer.offer(Bytes::from_static(b"offered"));
        assert_eq!(taken(&send_buffer), None);
        assert!(send_buffer.put(Bytes::from_static(b"put")));
        assert_eq!(taken(&send_buffer), Some(3));
    }
}
