//! What each connection is waiting for, and when a wait has lasted too long.
//!
//! A timer per phase of each request would cost more than the request itself, so there are none: a connection notes what
//! it waits for and since when, two relaxed stores, and one sweep per worker looks at all of them every
//! [`SWEEP_EVERY`](super::connections::SWEEP_EVERY). A limit therefore acts up to that much late.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use atomic_waker::AtomicWaker;

use super::head::Refusal;
use crate::serve::settings::tls::Presented;
use crate::serve::telemetry::metrics::Label;

/// How long a client that has shown that it may ask must have kept its connection waiting to lose it to another: a connection that
/// is in use seldom waits so long, and its client may be sending already.
const TRUSTED_AT_LEAST: Duration = Duration::from_secs(1);
/// The same of a client that has not and waits for an answer: a handshake, a head and an answer take a few round trips.
const STRANGER_AT_LEAST: Duration = Duration::from_millis(500);

/// How long a connection may stay in each phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// TLS handshake.
    pub(crate) handshake: Duration,
    /// From the first byte of a head (or from the connection's start) to its last.
    pub(crate) head: Duration,
    /// From a head's end to the body's end; in a streamed body, from one piece to the next.
    pub(crate) body: Duration,
    /// From a write that the socket did not take to the moment when it has taken all, or, of a batch, any.
    pub(crate) write: Duration,
    /// From an answer to the next request.
    pub(crate) idle: Duration,
    /// From a closed write side to the peer's own close, while what it still sends is thrown away.
    pub(crate) linger: Duration,
    /// From a connection's start to the answer that is its last.
    pub(crate) age: Option<Duration>,
    /// From the moment when its client's certificate was found outdated to its end, whatever is on its way.
    pub(crate) expelled: Duration,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// For the server itself: no limit.
    Working,
    Handshake,
    Head,
    Body,
    Idle,
    Linger,
}

/// The value of the `phase` label that counts timeouts.
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
    pub(crate) const ALL: [Phase; 6] = [
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

/// What one connection's parts (socket, requests, sweep) tell each other.
pub(crate) struct ConnectionState {
    pub(super) started: Instant,
    phase: AtomicU8,
    /// Milliseconds after `started`.
    phase_since: AtomicU64,
    /// Milliseconds after `started`, plus one, of the first write that waits; 0 if none does.
    write_since: AtomicU64,
    /// What the sweep found overdue: `Phase as u8`, plus one; 0 if nothing.
    overdue: AtomicU8,
    write_overdue: AtomicBool,
    /// `Refusal as u8`; 0 if none.
    refusal: AtomicU8,
    /// Whether an answer of any length is on its way: a write that moves is then not overdue.
    pub(crate) streaming: AtomicBool,
    /// Whether the request goes on while it is answered: what its client does not take yet is kept, so that it can send on.
    pub(crate) reads_on: AtomicBool,
    /// Whether bytes of a body were left unread when the answer was ready.
    pub(crate) unread_body: AtomicBool,
    /// Whether an answer said that it is the connection's last.
    pub(crate) said_close: AtomicBool,
    /// Whether the client has shown a key or a certificate, or need not.
    pub(crate) trusted: AtomicBool,
    /// Whether the connection makes room for another: nothing is waited for any more.
    hurried: AtomicBool,
    /// Whether the next answer is the last, because the server is about to stop or the client guesses keys.
    pub(crate) draining: AtomicBool,
    /// Whether the connection should end as soon as no request is on its way.
    pub(crate) closing: AtomicBool,
    /// Whether a panic broke it: what is left of it is reset.
    pub(crate) broken: AtomicBool,
    /// Whether a request was answered.
    pub(crate) answered: AtomicBool,
    /// What the client has shown, if it was asked for a certificate.
    pub(crate) presented: OnceLock<Box<Presented>>,
    /// Milliseconds after `started`, plus one, of [`ConnectionState::expel`]; 0 if it was not called.
    expelled_since: AtomicU64,
    waker: AtomicWaker,
    /// Whether wake-ups are noted and not passed on, and whether one was.
    held_back: AtomicBool,
    noted: AtomicBool,
}

/// What the connection's own parts wake is the task that [`ConnectionState::register`] was told of last.
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

    /// Notes that the connection waits for `phase` since `now`.
    pub(crate) fn enter(&self, phase: Phase, now: Instant) {
        // What was overdue is over: in a batch the same phase comes again.
        if self.overdue.load(Relaxed) != 0 {
            self.overdue.store(0, Relaxed);
        }
        self.phase_since.store(self.millis(now), Relaxed);
        self.phase.store(phase as u8, Relaxed);
    }

    /// Whether the answer that is written next is the connection's last; it must say so.
    pub(crate) fn is_last_answer(&self) -> bool {
        let is_last = self.draining.load(Relaxed) || self.unread_body.load(Relaxed);
        if is_last {
            self.said_close.store(true, Relaxed);
        }
        is_last
    }

    /// Notes that a write waits for the peer, unless that is noted already.
    pub(crate) fn write_waits(&self) {
        if self.write_since.load(Relaxed) == 0 {
            self.write_since
                .store(self.millis(Instant::now()) + 1, Relaxed);
        }
    }

    /// Whether a write waits for the peer.
    pub(crate) fn write_is_waiting(&self) -> bool {
        self.write_since.load(Relaxed) != 0
    }

    /// Notes that a client which does not take what is written is sending meanwhile: that is waited for from now on.
    pub(crate) fn write_moves(&self, now: Instant) {
        if self.write_since.load(Relaxed) != 0 {
            self.write_since.store(self.millis(now) + 1, Relaxed);
        }
    }

    /// Notes that the socket has taken all that was to be written.
    pub(crate) fn write_done(&self) {
        if self.write_since.load(Relaxed) != 0 {
            self.write_since.store(0, Relaxed);
        }
    }

    /// The phase that the sweep found overdue, if it still lasts.
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

    /// Notes why the request that hyper is shown next, a stand-in, is to be refused.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.refusal.store(refusal as u8, Relaxed);
    }

    pub(crate) fn refusal(&self) -> Option<Refusal> {
        Refusal::from_code(self.refusal.load(Relaxed))
    }

    /// How long the connection has waited for its client, if that is reason enough to close it for another's sake: for a handshake, a
    /// request or the end of a last answer; or, of a stranger, for an answer to be taken.
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
            // Its answer is ready; who goes on asking would keep its place for ever.
            (false, false, Phase::Idle) => Duration::ZERO,
            (false, ..) => STRANGER_AT_LEAST,
        };
        let waited = Duration::from_millis(self.millis(now).saturating_sub(since));
        // One that was hurried and has gone on nevertheless, with an answer or a request that had begun, is found again.
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

    /// Whether the connection is closed for another's sake.
    pub(crate) fn is_hurried(&self) -> bool {
        self.hurried.load(Relaxed)
    }

    /// Ends it: at once if no request is on its way, else with the answer to that, or at [`Deadlines::expelled`].
    /// `false` if it ends already.
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

    /// Lets [`ConnectionState::wake`] wake the task that `context` belongs to.
    pub(crate) fn register(&self, context: &Context<'_>) {
        self.waker.register(context.waker());
    }

    /// Calls `poll`, which belongs to the task that is being polled, and says whether that would have woken the task: the
    /// caller does so in its place, unless there is nothing left to do that the task is not doing.
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

    /// Marks what is overdue at `now`; whether anything newly is.
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
            // What begins to send is answered before it ends.
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

    /// Counts all waits as begun later by `pause`, in which nothing could be done about them.
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
