//! SIGTERM and SIGINT.
//!
//! The first signal asks: `work` stops taking messages and waits for confirmations, `ship` finishes its
//! segment. The second signal ends the process with exit code 1.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::{Stop, log};

/// Returns a value that becomes true at the first signal. The second signal ends the process at once.
///
/// # Errors
/// If the system refuses to install the handlers.
pub fn on_signals() -> Result<watch::Receiver<bool>, Stop> {
    let (tell, stop) = watch::channel(false);
    let listen = |kind| signal(kind).map_err(|why| Stop::system(format!("signals: {why}")));
    let (mut term, mut interrupt) = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    );
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        log::info("stopping", &[]);
        let _ = tell.send(true);
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(1);
    });
    Ok(stop)
}
