//! The socket as hyper sees it: bytes pass through [`Framing`] on their way in, waits are noted in [`ConnectionState`].
//!
//! A request that is refused is replaced by a stand-in, so that hyper answers it in its turn, after the requests
//! before it on the same connection; nothing is read after it.

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

/// Bytes read at once.
const SCRATCH: usize = 16 * 1024;
/// Bytes thrown away at once.
const DISCARD: usize = 1 << 20;
/// `recv(2)`: a TCP socket drops the bytes instead of handing them over. The number is the same on all of Linux.
const MSG_TRUNC: c_int = 0x20;

/// The stand-in's target: hyper takes braces, but no client's request with one comes through.
const STAND_IN_TARGET: &str = "/{refused}";

thread_local! {
    /// Where bytes land before they are looked at: one buffer a thread, so that a connection without traffic has none.
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
    /// Where bytes would land that are thrown away: nothing is written to it, so that it takes addresses and no memory.
    static NOWHERE: RefCell<Box<[MaybeUninit<u8>]>> = RefCell::new(Box::new_uninit_slice(DISCARD));
}

/// What hyper is shown in place of a request that was refused. Its method is the request's, so far as methods are told
/// apart: the answer to HEAD has no body, and counts and log lines say what was asked for.
fn stand_in(refused: &[u8]) -> String {
    let method = refused
        .trim_ascii_start()
        .split(|&byte| byte == b' ')
        .next();
    let method = method::label_of(method.unwrap_or_default());
    format!("{method} {STAND_IN_TARGET} HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n")
}

/// Whether a request is the stand-in for one that was refused, and `state` says why.
pub(crate) fn is_stand_in(target: &str) -> bool {
    target == STAND_IN_TARGET
}

/// One connection's bytes.
pub(crate) struct Wire<T: Transport> {
    transport: T,
    framing: Framing,
    /// Bytes that arrived and were not passed on: `ready` good ones, then the beginning of a head.
    held: Vec<u8>,
    ready: usize,
    /// Whether the stand-in was shown, or is in `held`: nothing is read after it.
    refused: bool,
    /// Whether hyper is to be told that a body went wrong, after what is in `held`.
    broken: bool,
    shut_down: bool,
    /// Bytes of an answer that the client does not take while it sends the request.
    backlog: VecDeque<u8>,
    /// Bytes that the transport may keep of what was written.
    unflushed: usize,
    /// Bytes of answers that wait for the client, as they are counted. It is not read from meanwhile, unless it is in the middle of
    /// a batch: hyper would go on answering, and hold the answers.
    waiting: usize,
    /// Whether they are counted among the answers to clients that have shown no key.
    waiting_open: bool,
    /// Whether hyper has asked for more meanwhile, and is to be woken.
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

    /// Passes the good bytes in `held` on, as many as `buf` has room for.
    fn deliver(&mut self, buf: &mut ReadBufCursor<'_>) {
        let len = self.ready.min(buf.remaining());
        buf.put_slice(&self.held[..len]);
        self.held.drain(..len);
        self.ready -= len;
        if self.held.is_empty() {
            // A connection that waits for its next request should not keep what the last one needed.
            self.held = Vec::new();
        }
    }

    /// Counts `bytes` as memory that waits for the client, in place of what was counted. They are there already, so
    /// nothing is asked: it is the next long body that there may be no room for.
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

    /// Bytes that wait for the client, with `more` of them.
    fn waits_with(&self, more: usize) -> usize {
        self.backlog.len() + self.unflushed + more
    }

    /// Notes that the transport took `bytes`.
    fn wrote(&mut self, bytes: usize) {
        self.unflushed = (self.unflushed + bytes).min(T::KEEPS);
    }

    /// Keeps `bytes` for a client that does not take them while it sends a batch, if there is room for them.
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

    /// Writes what was kept.
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

    /// Drops what has arrived, without a look at it: no copy, and no deciphering.
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

    /// Puts the stand-in where the refused request began.
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
    /// Reads once; what is good goes into `buf`, the rest into `held`. `Ok(0)` at the end of the stream.
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

    /// Acts on what [`Framing`] said about `rest`, which begins with the refused bytes or is part of a head.
    fn settle(&mut self, was_head: bool, rest: &[u8], refusal: Option<Refusal>) {
        match refusal {
            Some(Refusal::Chunk) => {
                // hyper is in the middle of this body: it is told with an error, the handler with the refusal.
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
            // The connection ends with the answer that is on its way: what still comes is dropped after it.
            return Poll::Pending;
        }
        if wire.waiting > 0 && !wire.state.reads_on.load(Relaxed) {
            wire.read_waits = true;
            return Poll::Pending;
        }
        if !wire.held.is_empty() && wire.state.phase() == Phase::Idle {
            // It began to arrive together with the request that has just been answered.
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

    /// Closes the write side. If the peer may still be sending, a body or requests after the last that is answered (it is not to
    /// know before it has read the answer that ends the connection), what it sends is read and thrown away for a while: a
    /// socket that is closed with bytes unread resets the connection, and the peer may lose the answer to that.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut_down {
            ready!(self.poll_backlog(cx))?;
            // TLS has a last word to write, which a peer that reads nothing can hold up.
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
                // What is on its way comes in a few large pieces then; if this cannot be set, in many small ones.
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
    /// What a client did not take in time is thrown away: the kernel would go on offering it for minutes, for as long
    /// as the client keeps its window shut.
    fn drop(&mut self) {
        self.hold(0);
        if self.state.is_write_overdue() || self.state.broken.load(Relaxed) {
            // If it cannot be set, the kernel does as it would have.
            let _ = SockRef::from(self.transport.socket()).set_linger(Some(Duration::ZERO));
        }
    }
}
