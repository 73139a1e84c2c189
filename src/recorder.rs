//! `serve --record DIR`: records answers.
//!
//! Each answered row becomes a line of NDJSON in the form that `check` reads, with what a database wants to know beside it:
//!
//! | field | what |
//! | --- | --- |
//! | `time` | when it was answered, UTC |
//! | `instance`, `seq` | the row's key: a random number of the process, and a count from 0 on, given when the row is answered |
//! | `request_id`, `row` | the request, and the row's index within it |
//! | `model` | SHA-256 of the model |
//! | `inputs` | the model's inputs without its texts |
//! | `plates` | with `hmac`: a keyed digest of each plate |
//! | `request` | with `plain`: the request as it came |
//! | `raw`, `negative`, `positive` | the answer |
//!
//! Workers never wait: a worker gathers rows (`gather`) and passes them through a bounded queue to one thread
//! (`writer`), which formats them as lines (`row`) and appends those to segments (`folder`). Rows that exceed the queue
//! are dropped. `seq` is allocated before that, so a gap in `seq` is a lost row; `ledger` counts both, even across
//! `kill -9`.

mod folder;
mod gather;
mod ledger;
mod row;
mod settings;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::folder::Folder;
pub(crate) use self::folder::segments;
pub(crate) use self::gather::Source;
use self::gather::{Block, gather, take_gathered};
use self::ledger::Ledger;
pub(crate) use self::ledger::Lost;
pub use self::settings::RecordArgs;
pub(crate) use self::settings::Settings;
use self::writer::Writer;
use crate::pick_regno::Answer;

/// Number of blocks that may wait for the writer; each has some 64 KiB, or one long body.
const QUEUE: usize = 64;
/// Number of bytes that may wait for the writer.
const QUEUE_BYTES: usize = 8 << 20;

/// Recorder of the answered rows of all workers.
pub(crate) struct Recorder {
    sample: Option<u64>,
    limit: u64,
    ledger: std::sync::Arc<Ledger>,
    queue: Mutex<Option<SyncSender<Block>>>,
    queued_bytes: std::sync::Arc<AtomicUsize>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Recorder {
    /// Locks the folder, settles what an earlier process left there, and starts the writer.
    ///
    /// # Errors
    /// If the folder cannot be used, or another process records there.
    pub(crate) fn start(settings: &Settings) -> io::Result<Recorder> {
        let (folder, ledger) = Folder::take(settings)?;
        let ledger = std::sync::Arc::new(ledger);
        let (queue, blocks) = sync_channel(QUEUE);
        let queued_bytes = std::sync::Arc::new(AtomicUsize::new(0));
        let writer = Writer::new(settings, folder, &ledger, &queued_bytes);
        let thread = std::thread::Builder::new()
            .name("record".to_owned())
            .spawn(move || writer.run(&blocks))?;
        Ok(Recorder {
            sample: (settings.sample < 1.0).then_some((settings.sample * 2_f64.powi(64)) as u64),
            limit: settings.limit,
            ledger,
            queue: Mutex::new(Some(queue)),
            queued_bytes,
            writer: Mutex::new(Some(thread)),
        })
    }

    /// Returns true if the request with this random number is in the sample.
    pub(crate) fn chooses(&self, random: u64) -> bool {
        self.sample.is_none_or(|share| random < share)
    }

    /// Number of rows that were given a `seq`.
    pub(crate) fn given(&self) -> u64 {
        self.ledger.given()
    }

    /// Number of rows that are in complete segments.
    pub(crate) fn written(&self) -> u64 {
        self.ledger.written()
    }

    /// Number of rows that were lost, by reason.
    pub(crate) fn lost(&self, why: Lost) -> u64 {
        self.ledger.lost(why)
    }

    /// Value of `--record-limit`, in bytes.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Total size of the segments in the folder, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.ledger.bytes()
    }

    /// Records the answers of `model`, a SHA-256, to `text`, whose first row has the index `row` within the request.
    pub(crate) fn record(
        &self,
        source: Source,
        request_id: &str,
        model: &str,
        row: u64,
        text: &[u8],
        answers: &[Answer],
    ) {
        if answers.is_empty() {
            return;
        }
        let seq = self.ledger.give(answers.len() as u64);
        if let Some(full) = gather(source, [request_id, model], (row, seq), text, answers) {
            self.hand_over(full);
        }
    }

    /// Passes on the rows that this thread has gathered.
    pub(crate) fn flush(&self) {
        let block = take_gathered();
        if block.rows > 0 {
            self.hand_over(block);
        }
    }

    /// Passes a block to the writer, or drops it and counts its rows as lost.
    fn hand_over(&self, block: Block) {
        let (rows, bytes) = (block.rows, block.bytes.len());
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = self.queued_bytes.fetch_add(bytes, Relaxed) + bytes > QUEUE_BYTES;
        let sent = match &*queue {
            Some(queue) if !is_full => queue.try_send(block).is_ok(),
            _ => false,
        };
        if !sent {
            self.queued_bytes.fetch_sub(bytes, Relaxed);
            self.ledger.lose(Lost::Queue, rows);
        }
    }

    /// Writes the remaining rows and closes the last segment. Waits for an unresponsive disk no longer than `limit`.
    pub(crate) fn finish(&self, limit: Duration) {
        let queue = self
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(queue);
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(writer) = writer else { return };
        let end = Instant::now() + limit;
        while !writer.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        if writer.is_finished() {
            // A panic of the writer was already reported; its rows stay counted as lost.
            let _ = writer.join();
        }
    }
}
