//! Shutdown, from the first signal to the exit: readiness off, a delay for load balancers, then no new connections, and
//! a deadline for requests in flight. A second signal ends the wait.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::accept;
use crate::serve::app::App;
use crate::serve::telemetry::log::{Level, Value};

/// Stage of the shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Serving,
    /// No longer ready. Connections are still accepted, and each closes after its next answer.
    Draining,
    /// No connection is accepted; idle ones are closed.
    Closing,
    /// Remaining connections are dropped.
    Aborting,
}

/// Handle that stops a running server.
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

    /// Stops the server: the first call drains it, the second ends it without waiting for requests in flight.
    pub fn stop(&self) {
        self.requests.send_modify(|count| *count += 1);
    }

    /// Waits until [`Stopper::stop`] has been called `count` times in total.
    pub(crate) async fn asked(&self, count: u32) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self
            .requests
            .subscribe()
            .wait_for(|&asked| asked >= count)
            .await;
    }
}

/// Waits for a stop, and leads the workers through its stages.
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
        // The remaining workers would serve with less capacity than configured: a restart is better.
        () = one_ended => app.log.line(Level::Error, "a worker has ended, so all do", &[]),
    }
    app.ready.store(false, Relaxed);
    app.log.line(Level::Info, "draining", &[]);
    let _ = stage.send(Stage::Draining);
    let drained = async {
        tokio::time::sleep(app.config.drain_delay).await;
        // If it fails, clients that connect at the very end are reset: no reason not to stop.
        let _ = accept::refuse_newcomers(&listeners);
        // The workers keep their sockets open.
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

/// Signal to the process.
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

/// Calls `act` for each signal, forever. Signals count from this call on, not from the first poll of the future.
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
