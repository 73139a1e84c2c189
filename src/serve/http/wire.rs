//! Socket as hyper sees it: incoming bytes pass through [`Framing`], and waits are recorded in [`ConnectionState`].
//!
//! A refused request is replaced by a stand-in, so that hyper answers it in its turn, after earlier requests on the
//! same connection. Nothing is read after it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::ReadBufCursor;
use socket2::SockRef;
use tokio::io::{Interest, ReadBuf};

use super::framing::{Framing, Passed};
use super::head::Refusal;
use super::method;
use super::phase::{ConnectionState, Phase};
use super::transport::Transport;
use crate::serve::app::App;
use crate::serve::telemetry::metrics::Shard;

/// Number of bytes that are read at once.
const SCRATCH: usize = 16 * 1024;
/// Number of bytes that are discarded at once.
const DISCARD: usize = 1 << 20;
/// Flag of `recv(2)`: a TCP socket drops the bytes instead of copying them. The number is the same on all of Linux.
const MSG_TRUNC: c_int = 0x20;

/// Target of the stand-in: hyper accepts braces, but no client's request with one gets through.
const STAND_IN_TARGET: &str = "/{refused}";

thread_local! {
    /// Read buffer: one per thread, so that an idle connection has none.
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
    /// Destination of discarded bytes: nothing is written to it, so that it takes address space and no memory.
    static NOWHERE: RefCell<Box<[MaybeUninit<u8>]>> = RefCell::new(Box::new_uninit_slice(DISCARD));
}

/// Returns the request that hyper sees in place of a refused one. It has the same method, as far as methods are
/// distinguished: the answer to HEAD has no body, and counts and log lines show the method.
fn stand_in(refused: &[u8]) -> String {
    let method = refused
        .trim_ascii_start()
        .split(|&byte| byte == b' ')
        .next();
    let method = method::label_of(method.unwrap_or_default());
    format!("{method} {STAND_IN_TARGET} HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n")
}

/// Returns true if a request is the stand-in for a refused one, whose reason is in `state`.
pub(crate) fn is_stand_in(target: &str) -> bool {
    target == STAND_IN_TARGET
}

/// Bytes of one connection.
pub(crate) struct Wire<T: Transport> {
    transport: T,
    framing: Framing,
    /// Bytes that arrived and were not passed on: `ready` valid ones, then the beginning of a head.
    held: Vec<u8>,
    ready: usize,
    /// True if the stand-in was shown, or is in `held`: nothing is read after it.
    refused: bool,
    /// True if hyper is to get an error about a body after the bytes in `held`.
    broken: bool,
    shut_down: bool,
    /// Answers that the client does not read while it sends the request.
    backlog: VecDeque<u8>,
    /// Number of written bytes that the transport may keep.
    unflushed: usize,
    /// Bytes of answers that wait for the client, as they are counted. The client is not read from meanwhile, unless it
    /// is in the middle of a batch: hyper would go on answering, and hold the answers.
    waiting: usize,
    /// True if they are counted among the answers to clients without a key.
    waiting_open: bool,
    /// True if hyper has asked for more meanwhile, and is to be woken.
    read_waits: bool,
    app: Arc<App>,
    state: Arc<ConnectionState>,
    shard: Arc<Shard>,
}

impl<T: Transport> Wire<T> {
    pub(crate) fn new(
        transport: T,
        app: Arc<App>,
        state: Arc<ConnectionState>,
        shard: Arc<Shard>,
    ) -> Self {
        Wire {
            transport,
            framing: Framing::new(app.config.max_head),
            held: Vec::new(),
            ready: 0,
            refused: false,
            broken: false,
            shut_down: false,
            backlog: VecDeque::new(),
            unflushed: 0,
            waiting: 0,
            waiting_open: false,
            read_waits: false,
            app,
            state,
            shard,
        }
    }

    /// Passes the valid bytes in `held` on, as far as `buf` has capacity.
    fn deliver(&mut self, buf: &mut ReadBufCursor<'_>) {
        let len = self.ready.min(buf.remaining());
        buf.put_slice(&self.held[..len]);
        self.held.drain(..len);
        self.ready -= len;
        if self.held.is_empty() {
            // A connection that waits for its next request should not keep the buffer of the last one.
            self.held = Vec::new();
        }
    }

    /// Counts `bytes` of memory as waiting for the client, replacing the previous count. They exist already, so that
    /// this cannot fail; the next long body may find no room.
    fn hold(&mut self, bytes: usize) {
        if bytes == self.waiting {
            return;
        }
        if self.waiting == 0 {
            self.waiting_open = !self.state.trusted.load(Relaxed);
        }
        let account = match self.waiting_open {
            true => &self.shard.held_open_bytes,
            false => &self.shard.held_bytes,
        };
        account.add(bytes as i64 - self.waiting as i64);
        self.waiting = bytes;
    }

    /// Number of bytes that wait for the client, with `more` of them.
    fn waits_with(&self, more: usize) -> usize {
        self.backlog.len() + self.unflushed + more
    }

    /// Records that the transport accepted `bytes`.
    fn wrote(&mut self, bytes: usize) {
        self.unflushed = (self.unflushed + bytes).min(T::KEEPS);
    }

    /// Keeps `bytes` for a client that does not read while it sends a batch, if there is room for them.
    fn keep(&mut self, bytes: &[u8]) -> bool {
        if !self.state.reads_on.load(Relaxed) || (self.waiting > 0 && self.waiting_open) {
            return false;
        }
        let config = &self.app.config;
        let waiting = self.waits_with(bytes.len());
        let more = waiting as i64 - self.waiting as i64;
        let has_room = waiting as u64 <= config.max_answers()
            && self
                .app
                .reserve(&self.shard, more, config.max_batch_memory());
        if has_room {
            self.waiting = waiting;
            self.waiting_open = false;
            self.backlog.extend(bytes);
        }
        has_room
    }

    /// Writes the kept answers.
    fn poll_backlog(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.backlog.is_empty() {
            let (first, _) = self.backlog.as_slices();
            match Pin::new(&mut self.transport).poll_write(cx, first) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(len)) => {
                    self.shard.bytes_out.add(len as u64);
                    self.state.write_done();
                    self.backlog.drain(..len);
                    if self.backlog.is_empty() {
                        self.backlog = VecDeque::new();
                    }
                    self.wrote(len);
                    let waiting = self.waits_with(0);
                    self.hold(waiting);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.state.write_waits();
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Drops received bytes without reading them: no copy, and no decryption.
    fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let socket = self.transport.socket();
        NOWHERE.with_borrow_mut(|nowhere| {
            loop {
                ready!(socket.poll_read_ready(cx))?;
                let dropped = socket.try_io(Interest::READABLE, || {
                    SockRef::from(socket).recv_with_flags(nowhere, MSG_TRUNC)
                });
                match dropped {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Ok(len) => {
                        self.shard.bytes_in.add(len as u64);
                        return Poll::Ready(Ok(len));
                    }
                    failed => return Poll::Ready(failed),
                }
            }
        })
    }

    /// Replaces the refused request by the stand-in.
    fn refuse(&mut self, refusal: Refusal) {
        let stand_in = stand_in(&self.held[self.ready..]);
        self.held.truncate(self.ready);
        self.held.extend_from_slice(stand_in.as_bytes());
        self.ready = self.held.len();
        self.refused = true;
        self.state.refuse(refusal);
    }
}

impl<T: Transport> Wire<T> {
    /// Reads once. Valid bytes go to `buf`, the rest to `held`. `Ok(0)` at the end of the stream.
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<usize>> {
        READ_BUFFER.with_borrow_mut(|scratch| {
            let room = buf.remaining().min(SCRATCH);
            let mut read = ReadBuf::new(&mut scratch[..room]);
            ready!(Pin::new(&mut self.transport).poll_read(cx, &mut read))?;
            self.transport.handed_on();
            let bytes = read.filled_mut();
            self.shard.bytes_in.add(bytes.len() as u64);
            if self.held.is_empty() {
                let between = self.framing.is_between_requests();
                let Passed { len, refusal } = self.framing.pass(bytes);
                buf.put_slice(&bytes[..len]);
                if len < bytes.len() && refusal.is_none() {
                    self.held.extend_from_slice(&bytes[len..]);
                }
                self.settle(between, &bytes[len..], refusal);
                if self.ready > 0 && len == 0 {
                    self.deliver(buf);
                }
            } else {
                self.held.extend_from_slice(bytes);
                let Passed { len, refusal } = self.framing.pass(&mut self.held);
                self.ready = len;
                let rest = self.held.split_off(len);
                if refusal.is_none() {
                    self.held.extend_from_slice(&rest);
                }
                self.settle(true, &rest, refusal);
                self.deliver(buf);
            }
            Poll::Ready(Ok(bytes.len()))
        })
    }

    /// Handles [`Framing`]'s result for `rest`, which begins with the refused bytes or is part of a head.
    fn settle(&mut self, was_head: bool, rest: &[u8], refusal: Option<Refusal>) {
        match refusal {
            Some(Refusal::Chunk) => {
                // hyper is in the middle of this body: it gets an error, and the handler the refusal.
                self.state.refuse(Refusal::Chunk);
                self.refused = true;
                self.broken = true;
            }
            Some(refusal) => {
                self.held.truncate(self.ready);
                self.held.extend_from_slice(rest);
                self.refuse(refusal);
            }
            None => {
                if was_head && !rest.is_empty() && self.state.phase() == Phase::Idle {
                    self.state.enter(Phase::Head, Instant::now());
                }
            }
        }
    }
}

impl<T: Transport> hyper::rt::Read for Wire<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = &mut *self;
        if wire.ready > 0 {
            wire.deliver(&mut buf);
            return Poll::Ready(Ok(()));
        }
        if wire.broken {
            wire.broken = false;
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                Refusal::Chunk.message(),
            )));
        }
        if wire.refused || wire.state.unread_body.load(Relaxed) {
            // The connection ends with the answer in progress: bytes that still arrive are dropped after it.
            return Poll::Pending;
        }
        if wire.waiting > 0 && !wire.state.reads_on.load(Relaxed) {
            wire.read_waits = true;
            return Poll::Pending;
        }
        if !wire.held.is_empty() && wire.state.phase() == Phase::Idle {
            // The head began to arrive together with the previous request.
            wire.state.enter(Phase::Head, Instant::now());
        }
        match wire.state.overdue() {
            Some(Phase::Head) if !wire.held.is_empty() => {
                wire.refuse(Refusal::HeadTimeout);
                wire.deliver(&mut buf);
                return Poll::Ready(Ok(()));
            }
            // The end of the stream, as far as hyper can tell.
            Some(phase @ (Phase::Head | Phase::Idle)) => {
                wire.shard.timed_out(phase);
                return Poll::Ready(Ok(()));
            }
            _ => {}
        }
        let before = buf.remaining();
        loop {
            let read = ready!(wire.poll_fill(cx, &mut buf))?;
            if read == 0 || wire.broken || buf.remaining() < before {
                if wire.broken && buf.remaining() == before {
                    return Pin::new(wire).poll_read(cx, buf);
                }
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<T: Transport> hyper::rt::Write for Wire<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.poll_backlog(cx)?.is_ready() {
            match Pin::new(&mut self.transport).poll_write(cx, buf) {
                Poll::Ready(Ok(len)) => {
                    self.shard.bytes_out.add(len as u64);
                    self.wrote(len);
                    if self.state.streaming.load(Relaxed) {
                        self.state.write_done();
                    }
                    return Poll::Ready(Ok(len));
                }
                Poll::Pending => self.state.write_waits(),
                failed => return failed,
            }
        }
        if self.keep(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        let waiting = self.waits_with(buf.len());
        self.hold(waiting);
        Poll::Pending
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_backlog(cx))?;
        match Pin::new(&mut self.transport).poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                self.state.write_done();
                self.unflushed = 0;
                self.hold(0);
                if std::mem::take(&mut self.read_waits) {
                    cx.waker().wake_by_ref();
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                self.state.write_waits();
                let waiting = self.waits_with(0);
                self.hold(waiting);
                Poll::Pending
            }
            failed => failed,
        }
    }

    /// Closes the write side. If the peer may still be sending (a body, or requests after the last answered one, before
    /// it has read the final answer), the received bytes are discarded for a while: a socket that is closed with unread
    /// bytes resets the connection, and the peer may lose the answer.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut_down {
            ready!(self.poll_backlog(cx))?;
            // TLS has a final message to write, which a peer that does not read can delay.
            match Pin::new(&mut self.transport).poll_shutdown(cx) {
                Poll::Ready(done) => done?,
                Poll::Pending => {
                    self.state.write_waits();
                    return Poll::Pending;
                }
            }
            self.shut_down = true;
            self.state.write_done();
            let is_in_a_request = self.state.said_close.load(Relaxed)
                || self.state.unread_body.load(Relaxed)
                || !self.held.is_empty();
            if self.state.is_hurried() {
                return Poll::Ready(Ok(()));
            }
            if is_in_a_request || matches!(self.poll_discard(cx), Poll::Ready(Ok(1..))) {
                self.state.enter(Phase::Linger, Instant::now());
                // The remaining bytes then arrive in a few large pieces; if this cannot be set, in many small ones.
                let _ = SockRef::from(self.transport.socket()).set_recv_buffer_size(DISCARD);
            }
        }
        while self.state.phase() == Phase::Linger && self.state.overdue().is_none() {
            if let Ok(0) | Err(_) = ready!(self.poll_discard(cx)) {
                break;
            }
        }
        if self.state.overdue() == Some(Phase::Linger) {
            self.shard.timed_out(Phase::Linger);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Transport> Drop for Wire<T> {
    /// Discards what a client did not read in time: the kernel would go on offering it for minutes, while the client
    /// keeps its window closed.
    fn drop(&mut self) {
        self.hold(0);
        if self.state.is_write_overdue() || self.state.broken.load(Relaxed) {
            // If it cannot be set, the kernel behaves as before.
            let _ = SockRef::from(self.transport.socket()).set_linger(Some(Duration::ZERO));
        }
    }
}
