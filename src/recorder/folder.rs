//! The folder of segments.
//!
//! | file | what |
//! | --- | --- |
//! | `SECONDS-INSTANCE-NUMBER.ndjson` | a segment that is complete; whoever ships it deletes it. By name they are in order |
//! | `SECONDS-INSTANCE-NUMBER.open` | the segment that is being written |
//! | `INSTANCE.ledger` | the counts of a process: [`super::ledger`] |
//! | `lock` | held by the process that records here |

use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use memchr::{memchr_iter, memrchr};

use super::ledger::{Ledger, Left, Lost};
use super::settings::Settings;

/// Extension of a complete segment.
pub(crate) const COMPLETE: &str = "ndjson";
const OPEN: &str = "open";
const LEDGER: &str = "ledger";

/// Folder of segments, locked by this process.
pub(super) struct Folder {
    path: PathBuf,
    /// Random number in hexadecimal digits.
    pub(super) instance: String,
    /// Number of the next segment.
    next: u64,
    _lock: File,
}

/// Segment that is being written.
pub(super) struct Segment {
    pub(super) file: File,
    path: PathBuf,
    number: u64,
}

impl Folder {
    /// Creates the folder if it is missing, locks it, and settles the segments of earlier processes.
    pub(super) fn take(settings: &Settings) -> io::Result<(Folder, Ledger)> {
        let path = settings.folder.clone();
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))?;
        lock.try_lock().map_err(|why| match why {
            TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another process records there; give each a folder of its own",
            ),
            TryLockError::Error(why) => why,
        })?;
        let instance = format!("{:016x}", RandomState::new().hash_one(SystemTime::now()));
        let killed = settle(&path)?;
        let ledger = Ledger::create(private_file(&path.join(&instance).with_extension(LEDGER))?)?;
        ledger.lose(Lost::Killed, killed);
        let folder = Folder {
            path,
            instance,
            next: 0,
            _lock: lock,
        };
        ledger.set_bytes(folder.bytes());
        Ok((folder, ledger))
    }

    /// Opens the next segment.
    pub(super) fn open(&mut self, ledger: &Ledger) -> io::Result<Segment> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since.map_or(0, |since| since.as_secs());
        let name = format!("{seconds:010}-{}-{:08}.{OPEN}", self.instance, self.next);
        let path = self.path.join(name);
        // Without its ledger in the folder, a process that is killed would leave rows that nobody counts.
        self.ledger_file().metadata()?;
        ledger.opening(self.next);
        let file = private_file(&path)?;
        let number = self.next;
        self.next += 1;
        Ok(Segment { file, path, number })
    }

    /// Total size of the segments, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let Ok(files) = std::fs::read_dir(&self.path) else {
            return 0;
        };
        let sizes = files.flatten().filter_map(|file| {
            let path = file.path();
            (has_extension(&path, COMPLETE) || has_extension(&path, OPEN))
                .then(|| file.metadata().map_or(0, |data| data.len()))
        });
        sizes.sum()
    }

    /// Removes the counts of this process, once all rows are accounted for.
    pub(super) fn remove_ledger(&self) {
        // A remaining file is read by the next process, which finds nothing missing.
        let _ = std::fs::remove_file(self.ledger_file());
    }

    fn ledger_file(&self) -> PathBuf {
        self.path.join(&self.instance).with_extension(LEDGER)
    }
}

impl Segment {
    /// Gives the segment its final name, and counts its `rows`: as written, or as lost if it cannot be kept.
    pub(super) fn close(self, ledger: &Ledger, rows: u64) {
        let before = ledger.written();
        ledger.closing(self.number, before + rows);
        // Shipping begins with the rename: the contents must survive a power failure from then on.
        let kept = self
            .file
            .sync_data()
            .and_then(|()| std::fs::rename(&self.path, self.path.with_extension(COMPLETE)));
        if kept.is_ok() {
            ledger.wrote(rows);
            return;
        }
        // In this order, a kill between any two of them leaves the rows in the segment or missing, and never in both counts.
        ledger.closing(self.number, before);
        let _ = self.file.set_len(0);
        let _ = std::fs::remove_file(&self.path);
        ledger.lose(Lost::Disk, rows);
    }
}

/// Creates a file that only its owner can read.
fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create_new(true)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
}

/// Closes the segments that earlier processes left open. Returns the number of rows that were lost.
fn settle(folder: &Path) -> io::Result<u64> {
    let mut paths = Vec::new();
    for file in std::fs::read_dir(folder)? {
        paths.push(file?.path());
    }
    let mut missing = 0;
    for ledger in paths.iter().filter(|path| has_extension(path, LEDGER)) {
        let left = Left::read(ledger)?;
        let instance = ledger.file_stem().unwrap_or_default().to_string_lossy();
        let is_its = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            has_extension(path, OPEN) && name.split('-').nth(1) == Some(&*instance)
        };
        let open = paths.iter().find(is_its);
        let rows = open.map(|open| rows_in(open)).transpose()?;
        missing += left.missing(rows);
        std::fs::remove_file(ledger)?;
    }
    for open in paths.iter().filter(|path| has_extension(path, OPEN)) {
        match rows_in(open)? {
            0 => std::fs::remove_file(open)?,
            _ => std::fs::rename(open, open.with_extension(COMPLETE))?,
        }
    }
    Ok(missing)
}

/// Truncates a segment after its last whole line. Returns the number of lines.
fn rows_in(path: &Path) -> io::Result<u64> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
    if whole < bytes.len() {
        file.set_len(whole as u64)?;
    }
    Ok(memchr_iter(b'\n', &bytes).count() as u64)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// Lists the complete segments of a folder, in order.
pub(crate) fn segments(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut segments = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        if has_extension(&path, COMPLETE) {
            segments.push(path);
        }
    }
    segments.sort();
    Ok(segments)
}
