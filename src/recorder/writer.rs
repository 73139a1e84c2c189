//! The thread that writes segments.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::folder::{Folder, Segment};
use super::gather::{BLOCK, Block, SPARE, Spare};
use super::ledger::{Ledger, Lost};
use super::row::Rows;
use super::settings::Settings;
use crate::background::give_way;
use crate::memory::KeepBlocks;

/// Size in bytes after which a segment is closed.
const SEGMENT_BYTES: u64 = 8 << 20;
/// Time after which a segment is closed.
const SEGMENT_TIME: Duration = Duration::from_secs(5);
/// Pause after a failure before the disk is tried again, and before the folder's size is read again.
const AGAIN: Duration = Duration::from_secs(1);

/// State of the writer thread.
pub(super) struct Writer {
    folder: Folder,
    limit: u64,
    rows: Rows,
    ledger: Arc<Ledger>,
    queued_bytes: Arc<AtomicUsize>,
    spare: Arc<Spare>,
    open: Option<Open>,
    /// Nothing is written before this time, for this reason.
    paused: Option<(Instant, Lost)>,
    lines: Vec<u8>,
}

struct Open {
    segment: Segment,
    since: Instant,
    bytes: u64,
    rows: u64,
}

impl Writer {
    pub(super) fn new(
        settings: &Settings,
        folder: Folder,
        ledger: &Arc<Ledger>,
        (queued_bytes, spare): (&Arc<AtomicUsize>, &Arc<Spare>),
    ) -> Writer {
        Writer {
            limit: settings.limit,
            rows: Rows::new(&folder.instance, settings),
            folder,
            ledger: Arc::clone(ledger),
            queued_bytes: Arc::clone(queued_bytes),
            spare: Arc::clone(spare),
            open: None,
            paused: None,
            lines: Vec::new(),
        }
    }

    /// Writes blocks until all senders are gone. Keeps their buffers as spare ones.
    pub(super) fn run(mut self, blocks: &Receiver<Block>) {
        // If processors are short, answers come first, and rows are dropped and counted.
        give_way();
        // The allocator has one lock for all threads; those that answer should not find this one in it.
        let _keep = KeepBlocks::on_this_thread();
        loop {
            match blocks.recv_timeout(SEGMENT_TIME / 5) {
                Ok(block) => {
                    self.write(&block);
                    self.queued_bytes.fetch_sub(block.bytes.capacity(), Relaxed);
                    self.keep(block.bytes);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.open.as_ref().is_some_and(Open::is_due) {
                self.close();
            }
        }
        self.close();
        let lost = [Lost::Queue, Lost::Limit, Lost::Disk].map(|why| self.ledger.lost(why));
        if self.ledger.given() == self.ledger.written() + lost.iter().sum::<u64>() {
            self.folder.remove_ledger();
        }
    }

    /// Keeps a buffer for the workers, unless it is large, or enough are kept.
    fn keep(&self, mut bytes: Vec<u8>) {
        bytes.clear();
        if bytes.capacity() <= 4 * BLOCK
            && let Ok(mut spare) = self.spare.try_lock()
            && spare.len() < SPARE
        {
            spare.push(bytes);
        }
    }

    fn write(&mut self, block: &Block) {
        if let Some((until, why)) = self.paused {
            if Instant::now() < until {
                self.ledger.lose(why, block.rows);
                return;
            }
            self.paused = None;
        }
        self.lines.clear();
        for entry in block.entries() {
            self.rows.write(&entry, &mut self.lines);
        }
        let bytes = self.lines.len() as u64;
        if self.ledger.bytes() + bytes > self.limit {
            // The shipper deletes segments.
            self.ledger.set_bytes(self.folder.bytes());
            if self.ledger.bytes() + bytes > self.limit {
                return self.pause(Lost::Limit, block.rows);
            }
        }
        if self.append(block.rows).is_err() {
            return self.pause(Lost::Disk, block.rows);
        }
        self.ledger.set_bytes(self.ledger.bytes() + bytes);
    }

    /// Appends the lines of `rows` rows. After a failure, the segment ends with the last whole block.
    fn append(&mut self, rows: u64) -> std::io::Result<()> {
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(Open {
                segment: self.folder.open(&self.ledger)?,
                since: Instant::now(),
                bytes: 0,
                rows: 0,
            }),
        };
        if let Err(why) = open.segment.file.write_all(&self.lines) {
            let end = open.bytes;
            // If this fails, too, the next process to read the segment truncates half a line, and counts the others.
            let _ = open.segment.file.set_len(end);
            self.close();
            return Err(why);
        }
        open.bytes += self.lines.len() as u64;
        open.rows += rows;
        Ok(())
    }

    fn pause(&mut self, why: Lost, rows: u64) {
        self.ledger.lose(why, rows);
        self.paused = Some((Instant::now() + AGAIN, why));
    }

    fn close(&mut self) {
        if let Some(Open { segment, rows, .. }) = self.open.take() {
            segment.close(&self.ledger, rows);
            self.ledger.set_bytes(self.folder.bytes());
        }
    }
}

impl Open {
    fn is_due(&self) -> bool {
        self.bytes >= SEGMENT_BYTES || self.since.elapsed() >= SEGMENT_TIME
    }
}
