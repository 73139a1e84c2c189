//! From the first signal to the exit: readiness off, a while to let balancers notice, then no new connections, and a
//! deadline for the requests on their way. A second signal ends the wait.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How far the server has come towards its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Serving,
    /// Not ready any more; connections are still accepted, and each closes after its next answer.
    Draining,
    /// No connection is accepted; those that are idle are closed.
    Closing,
    /// Whatever is left is dropped.
    Aborting,
}

/// Asks a running server to stop.
#[derive(Clone)]
pub struct Stopper {
    requests: watch::Sender<u32>,
}

impl Stopper {
    pub(super) fn new() -> Stopper {
        Stopper {
            requests: watch::Sender::new(0),
        }
    }

    /// Once: drains the server. Twice: ends it without waiting for requests on their way.
    pub fn stop(&self) {
        self.requests.send_modify(|count| *count += 1);
    }

    /// Waits until [`Stopper::stop`] has been called `count` times in all.
    pub(super) async fn asked(&self, count: u32) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self
            .requests
            .subscribe()
            .wait_for(|&asked| asked >= count)
            .await;
    }
}

/// What a process is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Terminate,
    Interrupt,
    Hangup,
}

impl Signal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Signal::Terminate => "SIGTERM",
            Signal::Interrupt => "SIGINT",
            Signal::Hangup => "SIGHUP",
        }
    }
}

/// Calls `act` for each signal, for ever. Signals count from this call on, not from the future's first poll.
pub(super) fn on_signals(act: impl Fn(Signal)) -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            act(tokio::select! {
                _ = terminate.recv() => Signal::Terminate,
                _ = interrupt.recv() => Signal::Interrupt,
                _ = hangup.recv() => Signal::Hangup,
            });
        }
    })
}
