//! Counts the rows that were given a `seq`, written, and lost.
//!
//! The counts are in a page of a file that is mapped into memory: adding to them costs no more than elsewhere, and they
//! outlive a process that is killed. The next process in the folder reads them, and counts missing rows as lost.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use memmap2::{MmapOptions, MmapRaw};

/// Size of the file in bytes: one page.
const PAGE: usize = 4096;
/// Distance between counts in bytes: each has cache lines of its own, since processors fetch them in pairs.
const STRIDE: usize = 128;

/// Reason why a row was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The writer was behind.
    Queue,
    /// The folder has reached its limit.
    Limit,
    /// A file could not be written.
    Disk,
    /// An earlier process was killed with the row in its memory.
    Killed,
}

impl Lost {
    pub(crate) const ALL: [Lost; 4] = [Lost::Queue, Lost::Limit, Lost::Disk, Lost::Killed];

    /// Value of the `reason` label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Lost::Queue => "queue",
            Lost::Limit => "limit",
            Lost::Disk => "disk",
            Lost::Killed => "killed",
        }
    }
}

/// Positions of the counts in the page.
#[derive(Clone, Copy)]
enum Place {
    Given = 0,
    /// Number of the open segment.
    Segment = 1,
    /// Rows in the segments before the open one, by the segment's parity, so that it and the next have separate counts.
    Even = 2,
    Odd = 3,
    Lost = 4,
}

/// Counts of one process.
pub(crate) struct Ledger {
    page: MmapRaw,
    written: AtomicU64,
    bytes: AtomicU64,
    /// Rows that earlier processes lost when they were killed.
    killed: AtomicU64,
}

/// Counts in the file of an earlier process.
pub(super) struct Left {
    given: u64,
    segment: u64,
    before: [u64; 2],
    lost: u64,
}

impl Ledger {
    /// Creates the file of a process; `page` is new and empty.
    pub(super) fn create(mut page: File) -> io::Result<Ledger> {
        // Written, not sparse: a disk that fills up later must not stop the counting.
        page.write_all(&[0; PAGE])?;
        let page = MmapOptions::new().len(PAGE).map_raw(&page)?;
        Ok(Ledger {
            page,
            written: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            killed: AtomicU64::new(0),
        })
    }

    fn at(&self, place: usize) -> &AtomicU64 {
        let offset = place * STRIDE;
        assert!(offset + 8 <= PAGE);
        // SAFETY: the mapping lives as long as `self`, has `PAGE` bytes, and is aligned to a page, so that the offset
        // is aligned. The file is as long, is private to this process by the folder's lock, and is never truncated.
        unsafe { AtomicU64::from_ptr(self.page.as_mut_ptr().add(offset).cast()) }
    }

    /// Allocates `seq`s for `rows` rows. Returns the first.
    pub(super) fn give(&self, rows: u64) -> u64 {
        self.at(Place::Given as usize).fetch_add(rows, Relaxed)
    }

    pub(super) fn given(&self) -> u64 {
        self.at(Place::Given as usize).load(Relaxed)
    }

    pub(super) fn wrote(&self, rows: u64) {
        self.written.fetch_add(rows, Relaxed);
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    pub(super) fn lose(&self, why: Lost, rows: u64) {
        match why {
            Lost::Killed => self.killed.fetch_add(rows, Relaxed),
            _ => self
                .at(Place::Lost as usize + why as usize)
                .fetch_add(rows, Relaxed),
        };
    }

    pub(super) fn lost(&self, why: Lost) -> u64 {
        match why {
            Lost::Killed => self.killed.load(Relaxed),
            _ => self.at(Place::Lost as usize + why as usize).load(Relaxed),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    pub(super) fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Relaxed);
    }

    /// Records how many rows are in segment `number` and those before it, before the segment gets its final name.
    pub(super) fn closing(&self, number: u64, rows: u64) {
        self.before(number + 1).store(rows, Relaxed);
    }

    /// Records that segment `number` is the open one, or the next to be opened.
    pub(super) fn opening(&self, number: u64) {
        self.at(Place::Segment as usize).store(number, Relaxed);
    }

    fn before(&self, number: u64) -> &AtomicU64 {
        let places = [Place::Even, Place::Odd];
        self.at(places[(number % 2) as usize] as usize)
    }
}

impl Left {
    /// Reads a file that [`Ledger::create`] made.
    pub(super) fn read(file: &Path) -> io::Result<Left> {
        let mut page = Vec::new();
        io::Read::read_to_end(&mut File::open(file)?, &mut page)?;
        let at = |place: usize| {
            let bytes = page.get(place * STRIDE..).and_then(<[u8]>::first_chunk);
            bytes.map_or(0, |bytes| u64::from_ne_bytes(*bytes))
        };
        let lost = Lost::ALL.iter().filter(|why| **why != Lost::Killed);
        Ok(Left {
            given: at(Place::Given as usize),
            segment: at(Place::Segment as usize),
            before: [at(Place::Even as usize), at(Place::Odd as usize)],
            lost: lost
                .map(|why| at(Place::Lost as usize + *why as usize))
                .sum(),
        })
    }

    /// Number of rows that were given a `seq` and are missing. `open` is the number of rows in the segment that was
    /// open, if there is one.
    pub(super) fn missing(&self, open: Option<u64>) -> u64 {
        let written = match open {
            Some(rows) => self.before[(self.segment % 2) as usize] + rows,
            // The last segment was closed, or none was ever opened.
            None => self.before[0].max(self.before[1]),
        };
        self.given.saturating_sub(written + self.lost)
    }
}
