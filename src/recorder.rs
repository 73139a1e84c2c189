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
//! Workers never wait for the disk: a worker gathers rows (`gather`) and passes them through a bounded queue to one thread
//! (`writer`), which formats them as lines (`row`) and appends those to segments (`folder`). While the queue is full, rows
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
use std::sync::mpsc::{SendError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::folder::Folder;
pub(crate) use self::folder::segments;
pub(crate) use self::gather::Source;
use self::gather::{Block, Spare, gather, is_empty, take_gathered};
use self::ledger::Ledger;
pub(crate) use self::ledger::Lost;
pub use self::settings::RecordArgs;
pub(crate) use self::settings::Settings;
use self::writer::Writer;
use crate::pick_regno::Answer;

/// Number of bytes that may wait for the writer; one more block may exceed it.
const QUEUE_BYTES: usize = 4 << 20;

/// Recorder of the answered rows of all workers.
pub(crate) struct Recorder {
    sample: Option<u64>,
    limit: u64,
    ledger: Arc<Ledger>,
    queue: Mutex<Option<Sender<Block>>>,
    queued_bytes: Arc<AtomicUsize>,
    spare: Arc<Spare>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Recorder {
    /// Locks the folder, settles what an earlier process left there, and starts the writer.
    ///
    /// # Errors
    /// If the folder cannot be used, or another process records there.
    pub(crate) fn start(settings: &Settings) -> io::Result<Recorder> {
        let (folder, ledger) = Folder::take(settings)?;
        let ledger = Arc::new(ledger);
        let (queue, blocks) = channel();
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let spare = Arc::default();
        let writer = Writer::new(settings, folder, &ledger, (&queued_bytes, &spare));
        let thread = std::thread::Builder::new()
            .name("record".to_owned())
            .spawn(move || writer.run(&blocks))?;
        Ok(Recorder {
            sample: (settings.sample < 1.0).then_some((settings.sample * 2_f64.powi(64)) as u64),
            limit: settings.limit,
            ledger,
            queue: Mutex::new(Some(queue)),
            queued_bytes,
            spare,
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
        let rows = answers.len() as u64;
        let seq = self.ledger.give(rows);
        if self.is_full() {
            // Rows that will be dropped are not worth the time to gather them.
            return self.ledger.lose(Lost::Queue, rows);
        }
        if gather(source, [request_id, model], (row, seq), text, answers) {
            self.flush();
        }
    }

    /// Passes the rows that this thread has gathered to the writer, or drops them and counts them as lost.
    pub(crate) fn flush(&self) {
        if is_empty() {
            return;
        }
        // The writer may hold the lock, and runs only when it can: nobody waits for it.
        let spare = self.spare.try_lock().ok().and_then(|mut spare| spare.pop());
        let block = take_gathered(spare.unwrap_or_default());
        if let Err(SendError(block)) = self.hand_over(block) {
            self.ledger.lose(Lost::Queue, block.rows);
        }
    }

    /// Passes a block to the writer, unless the queue is full or closed.
    fn hand_over(&self, block: Block) -> Result<(), SendError<Block>> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match &*queue {
            Some(queue) if !self.is_full() => {
                let bytes = block.bytes.capacity();
                self.queued_bytes.fetch_add(bytes, Relaxed);
                queue.send(block).inspect_err(|_| {
                    self.queued_bytes.fetch_sub(bytes, Relaxed);
                })
            }
            _ => Err(SendError(block)),
        }
    }

    /// Returns true if so much waits for the writer that rows are dropped.
    fn is_full(&self) -> bool {
        self.queued_bytes.load(Relaxed) >= QUEUE_BYTES
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
            // A panic of the writer was already reported; the next process in the folder counts its rows as lost.
            let _ = writer.join();
        }
    }
}
