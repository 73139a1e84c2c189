//! From the first signal to the exit: readiness off, a while to let balancers notice, then no new connections, and a
//! deadline for the requests on their way. A second signal ends the wait.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::accept;
use crate::serve::app::App;
use crate::serve::telemetry::log::{Level, Value};

/// How far the server has come towards its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
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
    pub(crate) fn new() -> Stopper {
        Stopper {
            requests: watch::Sender::new(0),
        }
    }

    /// Once: drains the server. Twice: ends it without waiting for requests on their way.
    pub fn stop(&self) {
        self.requests.send_modify(|count| *count += 1);
    }

    /// Waits until [`Stopper::stop`] has been called `count` times in all.
    pub(crate) async fn asked(&self, count: u32) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self
            .requests
            .subscribe()
            .wait_for(|&asked| asked >= count)
            .await;
    }
}

/// Waits for a stop, and leads the workers through it.
pub(crate) async fn stop_in_stages(
    app: &App,
    stopper: &Stopper,
    stage: &watch::Sender<Stage>,
    workers: &[std::thread::JoinHandle<io::Result<()>>],
    listeners: Vec<TcpListener>,
) {
    let ended = || workers.iter().all(std::thread::JoinHandle::is_finished);
    let one_ended = async {
        while !workers.iter().any(std::thread::JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = stopper.asked(1) => {}
        // What is left would answer for it, with less than was asked for: better to be started again.
        () = one_ended => app.log.line(Level::Error, "a worker has ended, so all do", &[]),
    }
    app.ready.store(false, Relaxed);
    app.log.line(Level::Info, "draining", &[]);
    let _ = stage.send(Stage::Draining);
    let drained = async {
        tokio::time::sleep(app.config.drain_delay).await;
        // If it cannot be done, whoever connects at the very end is reset: that is no reason to stop otherwise.
        let _ = accept::refuse_newcomers(&listeners);
        // Their sockets stay open as long as the workers have them.
        drop(listeners);
        let _ = stage.send(Stage::Closing);
        let in_time = tokio::time::timeout(app.config.drain_timeout, async {
            while !ended() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        in_time.await.is_ok()
    };
    let all_answered = tokio::select! {
        in_time = drained => in_time,
        () = stopper.asked(2) => false,
    };
    if !all_answered {
        app.log.line(
            Level::Warn,
            "stopped before all requests on their way were answered",
            &[(
                "in_flight",
                Value::Number(app.in_flight.load(Relaxed) as u64),
            )],
        );
    }
}

/// What a process is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Terminate,
    Interrupt,
    Hangup,
}

impl Signal {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Signal::Terminate => "SIGTERM",
            Signal::Interrupt => "SIGINT",
            Signal::Hangup => "SIGHUP",
        }
    }
}

/// Calls `act` for each signal, for ever. Signals count from this call on, not from the future's first poll.
pub(crate) fn on_signals(act: impl Fn(Signal)) -> std::io::Result<impl Future<Output = ()>> {
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
