//! Reports faults of the service to Sentry, or to a compatible receiver of its envelopes.
//!
//! A report says that a thread panicked, and where in the code, or that a request was answered 5xx, and on which route.
//! It contains no part of a request, of its headers or of its answer.
//!
//! Reporting never blocks: faults go through a bounded queue to a thread of their own, and dropped faults are counted.
//! Equal faults are merged for [`MERGE`] into one report, which has their number.

mod dsn;
mod envelope;
mod sender;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use self::dsn::Dsn;
pub(crate) use self::envelope::Fault;
use self::envelope::Report;
use self::sender::Sender;
pub(crate) use self::sender::Target;
use super::metrics::{self, Counter};
use crate::serve::settings::reload::cannot_read;
use crate::serve::settings::tls;

/// Environment variable that holds a DSN.
pub(crate) const DSN_VARIABLE: &str = "PICK_REGNO_SENTRY_DSN";
/// Number of faults that may wait to be sent.
const QUEUE: usize = 64;
/// Time for which equal faults are merged.
const MERGE: Duration = Duration::from_secs(10);
/// Maximum number of different faults; fewer places in the code can panic and be reached.
const MAX_FAULTS: usize = 64;

/// Destination of fault reports.
#[derive(Clone, Debug, clap::Args)]
pub struct SentryArgs {
    /// The text of `PICK_REGNO_SENTRY_DSN`: it holds a key, so it is no flag
    #[arg(skip)]
    pub sentry_dsn: Option<String>,
    /// File with the DSN of the Sentry that panics and answers of 5xx are reported to. It can be in
    /// PICK_REGNO_SENTRY_DSN instead, but not on the command line: it holds a key
    #[arg(
        long,
        env = "PICK_REGNO_SENTRY_DSN_FILE",
        value_name = "FILE",
        help_heading = "Reports"
    )]
    pub sentry_dsn_file: Option<PathBuf>,
    /// CAs that the certificate of an https Sentry may be signed by: PEM
    #[arg(
        long,
        env = "PICK_REGNO_SENTRY_CA",
        default_value = "/etc/ssl/certs/ca-certificates.crt",
        value_name = "FILE",
        help_heading = "Reports"
    )]
    pub sentry_ca: PathBuf,
}

impl SentryArgs {
    /// Returns the destination, if one is configured. An error is a sentence that names the setting.
    pub(crate) fn target(&self) -> Result<Option<Target>, String> {
        let (name, text) = match (&self.sentry_dsn, &self.sentry_dsn_file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(format!(
                    "--sentry-dsn-file: {DSN_VARIABLE} is set as well; leave one out"
                ));
            }
            (Some(text), None) => (DSN_VARIABLE.to_owned(), text.to_owned()),
            (None, Some(file)) => (format!("--sentry-dsn-file {}", file.display()), read(file)?),
        };
        if text.trim().is_empty() {
            return Err(format!(
                "{name}: is empty; put a DSN in it, or leave it out"
            ));
        }
        let dsn = Dsn::read(text.trim()).map_err(|why| format!("{name}: {why}"))?;
        let client = dsn
            .is_https
            .then(|| tls::client(&self.sentry_ca).map_err(|why| format!("--sentry-ca: {why}")))
            .transpose()?;
        Ok(Some(Target { dsn, client }))
    }
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|why| {
        format!(
            "--sentry-dsn-file {}: {}",
            file.display(),
            cannot_read(&why)
        )
    })
}

/// Handle of the reporting thread.
pub(crate) struct Sentry {
    queue: SyncSender<Report>,
    recent: Mutex<HashMap<Fault, Recent>>,
    counts: Arc<Counts>,
}

struct Recent {
    sent: Instant,
    merged: u64,
}

#[derive(Default)]
struct Counts {
    queued: AtomicU64,
    done: AtomicU64,
    sent: Counter,
    merged: Counter,
    lost: Counter,
}

impl Sentry {
    /// Starts the thread that sends to `target`.
    pub(crate) fn start(target: Target) -> std::io::Result<Sentry> {
        let (queue, reports) = sync_channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let mut sender = Sender::new(target);
        let sentry = Sentry {
            queue,
            recent: Mutex::default(),
            counts: Arc::clone(&counts),
        };
        std::thread::Builder::new()
            .name("sentry".to_owned())
            .spawn(move || {
                while let Ok(report) = reports.recv() {
                    match sender.send(&report) {
                        true => counts.sent.inc(),
                        false => counts.lost.inc(),
                    }
                    counts.done.fetch_add(1, Relaxed);
                }
            })?;
        Ok(sentry)
    }

    /// Queues a fault of a service whose model answers now, unless the same was queued a moment ago.
    pub(crate) fn report(&self, fault: Fault, model: &str) {
        let Some(times) = self.due(&fault, Instant::now()) else {
            self.counts.merged.inc();
            return;
        };
        self.counts.queued.fetch_add(1, Relaxed);
        if self
            .queue
            .try_send(Report {
                fault,
                model: model.to_owned(),
                times,
            })
            .is_err()
        {
            self.counts.queued.fetch_sub(1, Relaxed);
            self.counts.lost.inc();
        }
    }

    /// Returns the number of occurrences of `fault` since its last report, if it is to be reported again.
    fn due(&self, fault: &Fault, now: Instant) -> Option<u64> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = recent.get_mut(fault) {
            if now.saturating_duration_since(known.sent) < MERGE {
                known.merged += 1;
                return None;
            }
            let times = known.merged + 1;
            *known = Recent {
                sent: now,
                merged: 0,
            };
            return Some(times);
        }
        if recent.len() < MAX_FAULTS {
            let first = Recent {
                sent: now,
                merged: 0,
            };
            recent.insert(fault.clone(), first);
        }
        Some(1)
    }

    /// Waits until everything in the queue is sent or lost, at most for `limit`.
    pub(crate) fn flush(&self, limit: Duration) {
        let until = Instant::now() + limit;
        while self.counts.done.load(Relaxed) < self.counts.queued.load(Relaxed)
            && Instant::now() < until
        {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Reports the counts.
    pub(crate) fn report_counts(&self) {
        for (result, count) in [
            ("sent", &self.counts.sent),
            ("merged", &self.counts.merged),
            ("lost", &self.counts.lost),
        ] {
            metrics::counter(
                "pick_regno_sentry_reports_total",
                "Faults by what became of them: reported, merged with the same a moment ago, or lost.",
                &[("result", result)],
                count.value(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_fault_is_sent_once_in_a_while() {
        // Nobody listens there: the test is about the queue.
        let dsn = Dsn::read("http://key@127.0.0.1:1/1").unwrap();
        let sentry = Sentry::start(Target { dsn, client: None }).unwrap();
        let panic = |place: &str| Fault::Panic {
            place: place.to_owned(),
        };
        let now = Instant::now();
        assert_eq!(sentry.due(&panic("a"), now), Some(1));
        assert_eq!(sentry.due(&panic("b"), now), Some(1));
        assert_eq!(sentry.due(&panic("a"), now), None);
        assert_eq!(sentry.due(&panic("a"), now + MERGE / 2), None);
        assert_eq!(sentry.due(&panic("a"), now + MERGE), Some(3));
        assert_eq!(sentry.due(&panic("a"), now + MERGE * 3 / 2), None);
        for nth in 0..MAX_FAULTS {
            sentry.due(&panic(&nth.to_string()), now);
        }
        assert_eq!(sentry.recent.lock().unwrap().len(), MAX_FAULTS);
    }
}
