//! Files that may be rewritten while the service runs: keys, certificates, the model.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use crate::serve::telemetry::metrics::{self, Counter};

/// Inode, length and last change (seconds and nanoseconds) of a file; `None` if it is inaccessible.
type Stamp = Option<(u64, u64, i64, i64)>;

/// Reader of files; an error is a sentence that names the file.
type Read<T> = Box<dyn Fn() -> Result<T, String> + Send + Sync>;

/// Value that was read from files, and is read again when they are rewritten.
pub(crate) struct FromFiles<T> {
    paths: Vec<PathBuf>,
    read: Read<T>,
    value: RwLock<T>,
    watch: Mutex<Watch>,
    reloaded: Counter,
    failed: Counter,
}

struct Watch {
    /// Stamps of the files when the current value was read.
    read: Vec<Stamp>,
    /// Stamps of the files when their fault was logged.
    told: Vec<Stamp>,
    /// Stamps of the files at the last look.
    seen: Vec<Stamp>,
}

/// Result of [`FromFiles::look`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// No change, or one that is still being written.
    Same,
    /// The files were read again, and the new value is in use.
    Reloaded,
    /// New fault of the files: the previous value stays in use.
    Failed(String),
}

/// Describes the error of reading a file, with the remedy.
pub(crate) fn cannot_read(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::InvalidData => "not a text file".to_owned(),
        _ => format!("{why}; name a file that this user can read"),
    }
}

impl<T> FromFiles<T> {
    /// Loads the value with `read`, which reads `paths` and nothing else.
    pub(crate) fn load(
        paths: Vec<PathBuf>,
        read: impl Fn() -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<FromFiles<T>, String> {
        // Stamped first: a later change is found by the first look.
        let stamps = stamps(&paths);
        Ok(FromFiles {
            value: RwLock::new(read()?),
            paths,
            read: Box::new(read),
            watch: Mutex::new(Watch {
                read: stamps.clone(),
                told: Vec::new(),
                seen: stamps,
            }),
            reloaded: Counter::default(),
            failed: Counter::default(),
        })
    }

    /// Returns the current value.
    pub(crate) fn value(&self) -> RwLockReadGuard<'_, T> {
        self.value.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the files again if they have changed and two looks in a row saw the same. This leaves files alone that are
    /// being written, or a certificate whose key is about to follow. Files that could not be read are tried again at
    /// each look, since the fault may not be theirs, and the fault is logged once.
    pub(crate) fn look(&self) -> Look {
        self.check(false)
    }

    /// Reads the files again whether they have changed or not, and reports their fault even if it was reported before.
    pub(crate) fn reread(&self) -> Look {
        self.check(true)
    }

    fn check(&self, asked: bool) -> Look {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamps(&self.paths);
        let settled = now == watch.seen;
        watch.seen.clone_from(&now);
        if !asked && (!settled || now == watch.read) {
            return Look::Same;
        }
        // The previous value stays in use if a file makes its reader panic.
        let value = catch_unwind(AssertUnwindSafe(|| (self.read)()))
            .unwrap_or_else(|_| Err("reading them panicked".to_owned()));
        if stamps(&self.paths) != now {
            return Look::Same;
        }
        match value {
            Ok(value) => {
                watch.read = now;
                let mut current = self.value.write().unwrap_or_else(PoisonError::into_inner);
                let before = std::mem::replace(&mut *current, value);
                drop(current);
                // After the lock: it may take a while, and nobody waits for it.
                drop(before);
                self.reloaded.inc();
                Look::Reloaded
            }
            Err(_) if watch.told == now && !asked => Look::Same,
            Err(why) => {
                watch.told = now;
                self.failed.inc();
                Look::Failed(why)
            }
        }
    }

    /// Reports how often the files were read again. `what` is the value of a label.
    pub(crate) fn report(&self, what: &'static str) {
        for (result, count) in [("ok", &self.reloaded), ("failed", &self.failed)] {
            metrics::counter(
                "pick_regno_reloads_total",
                "Files read again because they were rewritten; what failed left in use what was read before.",
                &[("files", what), ("result", result)],
                count.value(),
            );
        }
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    paths.iter().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).ok()?;
    // Of a file's two times, no tool can set this one back.
    Some((
        metadata.ino(),
        metadata.len(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::telemetry::metrics::Registry;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    fn numbers(name: &str) -> (PathBuf, FromFiles<u32>) {
        let file = std::env::temp_dir().join(format!("pick-regno-{name}-{}", std::process::id()));
        std::fs::write(&file, "1").unwrap();
        let path = file.clone();
        let read = move || {
            let text = std::fs::read_to_string(&path).map_err(|why| why.to_string())?;
            text.parse().map_err(|_| format!("{text:?} is no number"))
        };
        let numbers = FromFiles::load(vec![file.clone()], read).unwrap();
        (file, numbers)
    }

    #[test]
    fn a_change_is_taken_when_it_has_settled() {
        let (file, numbers) = numbers("settles");
        assert_eq!(numbers.look(), Look::Same);
        std::fs::write(&file, "22").unwrap();
        assert_eq!(numbers.look(), Look::Same, "seen for the first time");
        std::fs::write(&file, "333").unwrap();
        assert_eq!(numbers.look(), Look::Same, "and it has changed again");
        assert_eq!(*numbers.value(), 1);
        assert_eq!(numbers.look(), Look::Reloaded);
        assert_eq!(*numbers.value(), 333);
        assert_eq!(numbers.look(), Look::Same);
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_file_that_could_not_be_read_is_tried_again() {
        let file = std::env::temp_dir().join(format!("pick-regno-again-{}", std::process::id()));
        std::fs::write(&file, "1").unwrap();
        static FAILS: AtomicBool = AtomicBool::new(false);
        let read = || match FAILS.load(Relaxed) {
            true => Err("no file descriptor left".to_owned()),
            false => Ok(()),
        };
        let watched = FromFiles::load(vec![file.clone()], read).unwrap();
        std::fs::write(&file, "22").unwrap();
        FAILS.store(true, Relaxed);
        assert_eq!(watched.look(), Look::Same);
        assert!(matches!(watched.look(), Look::Failed(_)));
        assert_eq!(watched.look(), Look::Same, "told already");
        FAILS.store(false, Relaxed);
        assert_eq!(watched.look(), Look::Reloaded);
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn what_is_asked_for_is_read_and_told_each_time() {
        let (file, numbers) = numbers("asked");
        assert_eq!(numbers.reread(), Look::Reloaded);
        std::fs::write(&file, "22").unwrap();
        assert_eq!(numbers.reread(), Look::Reloaded);
        assert_eq!((numbers.look(), *numbers.value()), (Look::Same, 22));
        std::fs::write(&file, "two").unwrap();
        for _ in 0..2 {
            assert!(matches!(numbers.reread(), Look::Failed(_)));
        }
        assert_eq!((numbers.look(), *numbers.value()), (Look::Same, 22));
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_reader_that_panics_changes_nothing() {
        let file = std::env::temp_dir().join(format!("pick-regno-panics-{}", std::process::id()));
        std::fs::write(&file, "1").unwrap();
        static PANICS: AtomicBool = AtomicBool::new(false);
        let read = || match PANICS.load(Relaxed) {
            true => panic!("an index too far"),
            false => Ok(()),
        };
        let watched = FromFiles::load(vec![file.clone()], read).unwrap();
        PANICS.store(true, Relaxed);
        assert_eq!(
            watched.reread(),
            Look::Failed("reading them panicked".to_owned())
        );
        PANICS.store(false, Relaxed);
        assert_eq!(watched.reread(), Look::Reloaded);
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_fault_is_told_once_and_changes_nothing() {
        let (file, numbers) = numbers("fault");
        std::fs::write(&file, "two").unwrap();
        assert_eq!(numbers.look(), Look::Same);
        assert_eq!(
            numbers.look(),
            Look::Failed("\"two\" is no number".to_owned())
        );
        assert_eq!((numbers.look(), *numbers.value()), (Look::Same, 1));

        std::fs::remove_file(&file).unwrap();
        assert_eq!(numbers.look(), Look::Same);
        assert!(matches!(numbers.look(), Look::Failed(_)));
        assert_eq!((numbers.look(), *numbers.value()), (Look::Same, 1));

        std::fs::write(&file, "4").unwrap();
        assert_eq!(numbers.look(), Look::Same);
        assert_eq!((numbers.look(), *numbers.value()), (Look::Reloaded, 4));
        std::fs::remove_file(&file).unwrap();

        let page = Registry::new(&[]).page(|| numbers.report("numbers"));
        for (result, times) in [("ok", 1), ("failed", 2)] {
            let line = format!(
                "pick_regno_reloads_total{{files=\"numbers\",result=\"{result}\"}} {times}\n"
            );
            assert!(page.contains(&line), "{line}{page}");
        }
    }
}
