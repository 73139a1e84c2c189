//! Phase of each connection (what it waits for), and the deadlines of phases.
//!
//! A timer per phase would cost more than the request itself. Instead, a connection stores its phase and the time at
//! which it began (two relaxed stores), and one sweep per worker checks all connections every
//! [`SWEEP_EVERY`](super::connections::SWEEP_EVERY). A deadline therefore acts up to that much late.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use atomic_waker::AtomicWaker;

use super::head::Refusal;
use crate::serve::settings::tls::Presented;
use crate::serve::telemetry::metrics::Label;

/// Minimum time for which an authorized client must have kept its connection waiting before it loses it to another. A
/// connection in use rarely waits so long, and its client may be sending already.
const TRUSTED_AT_LEAST: Duration = Duration::from_secs(1);
/// Minimum time for an unauthorized client that waits for an answer: a handshake, a head and an answer take a few round
/// trips.
const STRANGER_AT_LEAST: Duration = Duration::from_millis(500);

/// Maximum duration of each phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// TLS handshake.
    pub(crate) handshake: Duration,
    /// Time from the first byte of a head (or the start of the connection) to its last.
    pub(crate) head: Duration,
    /// Time from the end of a head to the end of the body; in a streamed body, between pieces.
    pub(crate) body: Duration,
    /// Time from a write that the socket did not accept until it has accepted everything, or, for a batch, anything.
    pub(crate) write: Duration,
    /// Time from an answer to the next request.
    pub(crate) idle: Duration,
    /// Time from the closed write side to the peer's own close, during which received bytes are discarded.
    pub(crate) linger: Duration,
    /// Time from the start of a connection to its last answer.
    pub(crate) age: Option<Duration>,
    /// Time from finding the client's certificate outdated to the end of the connection, whatever is in flight.
    pub(crate) expelled: Duration,
}

/// Phase of a connection: what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// The server itself: no deadline.
    Working,
    Handshake,
    Head,
    Body,
    Idle,
    Linger,
}

/// Value of the `phase` label of timeouts.
impl Label for Phase {
    fn label(self) -> &'static str {
        match self {
            Phase::Working => "write",
            Phase::Handshake => "handshake",
            Phase::Head => "head",
            Phase::Body => "body",
            Phase::Idle => "idle",
            Phase::Linger => "linger",
        }
    }
}

impl Phase {
    pub(crate) const ALL: &[Phase] = &[
        Phase::Working,
        Phase::Handshake,
        Phase::Head,
        Phase::Body,
        Phase::Idle,
        Phase::Linger,
    ];

    fn from_code(code: u8) -> Phase {
        match code {
            1 => Phase::Handshake,
            2 => Phase::Head,
            3 => Phase::Body,
            4 => Phase::Idle,
            5 => Phase::Linger,
            _ => Phase::Working,
        }
    }
}

/// State that a connection's parts (socket, requests, sweep) share.
pub(crate) struct ConnectionState {
    pub(super) started: Instant,
    phase: AtomicU8,
    /// Start of the phase, in milliseconds after `started`.
    phase_since: AtomicU64,
    /// Start of the first waiting write, in milliseconds after `started`, plus one; 0 if none waits.
    write_since: AtomicU64,
    /// Overdue phase that the sweep found (`Phase as u8`, plus one); 0 if none.
    overdue: AtomicU8,
    write_overdue: AtomicBool,
    /// `Refusal as u8`; 0 if none.
    refusal: AtomicU8,
    /// True while an answer of any length is being sent: a write that makes progress is not overdue.
    pub(crate) streaming: AtomicBool,
    /// True if the request continues while it is answered: answers that its client does not accept yet are kept, so
    /// that it can send.
    pub(crate) reads_on: AtomicBool,
    /// True if bytes of a body were unread when the answer was ready.
    pub(crate) unread_body: AtomicBool,
    /// True if an answer announced that it is the connection's last.
    pub(crate) said_close: AtomicBool,
    /// True if the client has shown a key or a certificate, or need not.
    pub(crate) trusted: AtomicBool,
    /// True if the connection makes room for another: nothing is waited for any more.
    hurried: AtomicBool,
    /// True if the next answer is the last, because the server is about to stop or the client guesses keys.
    pub(crate) draining: AtomicBool,
    /// True if the connection should end as soon as no request is in flight.
    pub(crate) closing: AtomicBool,
    /// True if a panic broke the connection: the rest is reset.
    pub(crate) broken: AtomicBool,
    /// True if a request was answered.
    pub(crate) answered: AtomicBool,
    /// Certificate that the client has shown, if it was asked for one.
    pub(crate) presented: OnceLock<Box<Presented>>,
    /// Time of [`ConnectionState::expel`], in milliseconds after `started`, plus one; 0 if it was not called.
    expelled_since: AtomicU64,
    waker: AtomicWaker,
    /// True if wake-ups are recorded and not passed on; `noted` is true if one was recorded.
    held_back: AtomicBool,
    noted: AtomicBool,
}

/// The connection's own parts wake the task that was last passed to [`ConnectionState::register`].
impl std::task::Wake for ConnectionState {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match self.held_back.load(Relaxed) {
            true => self.noted.store(true, Relaxed),
            false => ConnectionState::wake(self),
        }
    }
}

impl ConnectionState {
    pub(crate) fn new(phase: Phase) -> ConnectionState {
        ConnectionState {
            started: Instant::now(),
            phase: AtomicU8::new(phase as u8),
            phase_since: AtomicU64::new(0),
            write_since: AtomicU64::new(0),
            overdue: AtomicU8::new(0),
            write_overdue: AtomicBool::new(false),
            refusal: AtomicU8::new(0),
            streaming: AtomicBool::new(false),
            reads_on: AtomicBool::new(false),
            unread_body: AtomicBool::new(false),
            said_close: AtomicBool::new(false),
            trusted: AtomicBool::new(false),
            hurried: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            presented: OnceLock::new(),
            expelled_since: AtomicU64::new(0),
            waker: AtomicWaker::new(),
            held_back: AtomicBool::new(false),
            noted: AtomicBool::new(false),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        Phase::from_code(self.phase.load(Relaxed))
    }

    /// Enters `phase`, which began at `now`.
    pub(crate) fn enter(&self, phase: Phase, now: Instant) {
        // The overdue phase is over: in a batch the same phase occurs again.
        if self.overdue.load(Relaxed) != 0 {
            self.overdue.store(0, Relaxed);
        }
        self.phase_since.store(self.millis(now), Relaxed);
        self.phase.store(phase as u8, Relaxed);
    }

    /// Returns true if the next answer is the connection's last, which it must announce.
    pub(crate) fn is_last_answer(&self) -> bool {
        let is_last = self.draining.load(Relaxed) || self.unread_body.load(Relaxed);
        if is_last {
            self.said_close.store(true, Relaxed);
        }
        is_last
    }

    /// Marks a write as waiting for the peer, unless it is marked already.
    pub(crate) fn write_waits(&self) {
        if self.write_since.load(Relaxed) == 0 {
            self.write_since
                .store(self.millis(Instant::now()) + 1, Relaxed);
        }
    }

    /// Returns true if a write waits for the peer.
    pub(crate) fn write_is_waiting(&self) -> bool {
        self.write_since.load(Relaxed) != 0
    }

    /// Restarts the deadline of a write if the client, which does not read, is sending meanwhile.
    pub(crate) fn write_moves(&self, now: Instant) {
        if self.write_since.load(Relaxed) != 0 {
            self.write_since.store(self.millis(now) + 1, Relaxed);
        }
    }

    /// Marks all writes as accepted by the socket.
    pub(crate) fn write_done(&self) {
        if self.write_since.load(Relaxed) != 0 {
            self.write_since.store(0, Relaxed);
        }
    }

    /// Returns the phase that the sweep found overdue, if it still lasts.
    pub(crate) fn overdue(&self) -> Option<Phase> {
        let phase = self
            .overdue
            .load(Relaxed)
            .checked_sub(1)
            .map(Phase::from_code)?;
        (phase == self.phase()).then_some(phase)
    }

    pub(crate) fn is_write_overdue(&self) -> bool {
        self.write_overdue.load(Relaxed)
    }

    /// Sets the refusal for the stand-in request that hyper will see next.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.refusal.store(refusal as u8, Relaxed);
    }

    pub(crate) fn refusal(&self) -> Option<Refusal> {
        Refusal::from_code(self.refusal.load(Relaxed))
    }

    /// Returns the time for which the connection has waited for its client, if that is reason enough to close it in
    /// favor of another: for a handshake, a request or the end of a last answer, or, for an unauthorized client, for
    /// reading an answer.
    pub(super) fn dispensable(&self, now: Instant) -> Option<Duration> {
        let trusted = self.trusted.load(Relaxed);
        let (since, ends) = match (self.write_since.load(Relaxed), self.phase()) {
            (0, Phase::Handshake | Phase::Head | Phase::Idle | Phase::Linger) => {
                (self.phase_since.load(Relaxed), self.overdue().is_some())
            }
            (since @ 1.., _) if !trusted => (since - 1, self.is_write_overdue()),
            _ => return None,
        };
        let at_least = match (trusted, self.write_is_waiting(), self.phase()) {
            (true, ..) => TRUSTED_AT_LEAST,
            // Its answer is ready; a client that keeps asking would keep its slot forever.
            (false, false, Phase::Idle) => Duration::ZERO,
            (false, ..) => STRANGER_AT_LEAST,
        };
        let waited = Duration::from_millis(self.millis(now).saturating_sub(since));
        // A connection that was hurried and went on, with an answer or a request that had begun, is found again.
        (waited >= at_least && !ends).then_some(waited)
    }

    /// Ends its wait before the deadline.
    pub(super) fn hurry(&self) {
        self.hurried.store(true, Relaxed);
        match self.write_since.load(Relaxed) {
            0 => self.overdue.store(self.phase() as u8 + 1, Relaxed),
            _ => self.write_overdue.store(true, Relaxed),
        }
        self.wake();
    }

    /// Returns true if the connection is closed in favor of another.
    pub(crate) fn is_hurried(&self) -> bool {
        self.hurried.load(Relaxed)
    }

    /// Ends the connection: at once if no request is in flight, else with its answer, or at [`Deadlines::expelled`].
    /// Returns false if it is ending already.
    pub(crate) fn expel(&self) -> bool {
        let since = self.millis(Instant::now()) + 1;
        let set = self
            .expelled_since
            .compare_exchange(0, since, Relaxed, Relaxed);
        if set.is_ok() {
            self.draining.store(true, Relaxed);
            self.closing.store(true, Relaxed);
            self.wake();
        }
        set.is_ok()
    }

    /// Makes [`ConnectionState::wake`] wake the task of `context`.
    pub(crate) fn register(&self, context: &Context<'_>) {
        self.waker.register(context.waker());
    }

    /// Calls `poll`, which belongs to the task that is being polled, and returns true if it would have woken the task.
    /// The caller does so in its place, unless there is nothing left to do that the task is not doing.
    pub(crate) fn hold_wakes<T>(&self, poll: impl FnOnce() -> T) -> (T, bool) {
        self.held_back.store(true, Relaxed);
        let polled = poll();
        self.held_back.store(false, Relaxed);
        let noted = self.noted.load(Relaxed);
        if noted {
            self.noted.store(false, Relaxed);
        }
        (polled, noted)
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            Waker::wake(waker);
        }
    }

    /// Marks overdue phases at `now`. Returns true if there is a new one.
    pub(super) fn sweep(&self, deadlines: &Deadlines, now: Instant) -> bool {
        let now = self.millis(now);
        let expelled = self.expelled_since.load(Relaxed);
        if expelled != 0
            && now.saturating_sub(expelled - 1) >= deadlines.expelled.as_millis() as u64
        {
            return !self.write_overdue.swap(true, Relaxed);
        }
        if deadlines
            .age
            .is_some_and(|age| now >= age.as_millis() as u64)
        {
            self.draining.store(true, Relaxed);
            // A request that begins to arrive is answered first.
            if self.phase() == Phase::Idle && !self.closing.swap(true, Relaxed) {
                return true;
            }
        }
        let write_since = self.write_since.load(Relaxed);
        if write_since != 0
            && now.saturating_sub(write_since - 1) >= deadlines.write.as_millis() as u64
        {
            return !self.write_overdue.swap(true, Relaxed);
        }
        let phase = self.phase();
        let limit = match phase {
            Phase::Working => return false,
            Phase::Handshake => deadlines.handshake,
            Phase::Head => deadlines.head,
            Phase::Body => deadlines.body,
            Phase::Idle => deadlines.idle,
            Phase::Linger => deadlines.linger,
        };
        if now.saturating_sub(self.phase_since.load(Relaxed)) < limit.as_millis() as u64 {
            return false;
        }
        let code = phase as u8 + 1;
        self.overdue.swap(code, Relaxed) != code
    }

    /// Shifts all waits by `pause`, in which nothing could be done about them.
    pub(super) fn forgive(&self, pause: Duration, now: Instant) {
        let (pause, now) = (pause.as_millis() as u64, self.millis(now));
        let later = |since: u64| since.saturating_add(pause).min(now);
        let since = self.phase_since.load(Relaxed);
        self.phase_since.store(later(since), Relaxed);
        if let Some(since) = self.write_since.load(Relaxed).checked_sub(1) {
            self.write_since.store(later(since) + 1, Relaxed);
        }
    }

    fn millis(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.started).as_millis() as u64
    }
}

#[cfg(test)]
mod tests;
