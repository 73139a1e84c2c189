//! Destination of answers: the standard output, or a file that appears when it is complete.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

use crate::hangup::Hangup;

/// Open output.
pub(super) struct Output {
    file: File,
    /// Temporary file to be renamed at the end; `None` if the output is written in place.
    temporary: Option<Temporary>,
}

/// Incomplete file, which is removed unless it is renamed.
struct Temporary {
    path: PathBuf,
    target: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Output {
    /// Opens the standard output, without a buffer.
    pub(super) fn stdout() -> io::Result<Output> {
        Ok(Output {
            file: File::from(io::stdout().as_fd().try_clone_to_owned()?),
            temporary: None,
        })
    }

    /// Creates a file that appears at `path` when [`Output::finish`] is called. Until then it has another name in the
    /// same folder. SIGINT, SIGTERM and SIGHUP remove it. If `path` exists and is not a regular file (a pipe,
    /// `/dev/null`), it is written to directly.
    pub(super) fn create(path: &Path) -> io::Result<Output> {
        // A symbolic link is kept: its target is replaced.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let before = fs::metadata(&target).ok();
        if before.as_ref().is_some_and(|before| !before.is_file()) {
            let file = File::options().write(true).open(&target)?;
            return Ok(Output {
                file,
                temporary: None,
            });
        }
        let name = target
            .file_name()
            .ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        // Not the process id: in a container it is always the same, and a killed run leaves its file.
        let random = RandomState::new().hash_one(());
        hidden.push(format!(".{random:016x}.part"));
        let temporary = Temporary {
            path: target.with_file_name(hidden),
            target,
        };
        // First, since a signal may arrive as soon as the file exists.
        remove_on_signals(temporary.path.clone())?;
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(&temporary.path)
            .map_err(|why| {
                let path = temporary.path.display();
                io::Error::new(why.kind(), format!("{path}: {why}"))
            })?;
        if let Some(before) = before {
            file.set_permissions(before.permissions())?;
        }
        Ok(Output {
            file,
            temporary: Some(temporary),
        })
    }

    /// Appends `bytes`.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Moves the file to its final path.
    pub(super) fn finish(self) -> io::Result<()> {
        let Some(temporary) = self.temporary else {
            return Ok(());
        };
        // Otherwise a crash of the machine could leave the name without the contents.
        self.file.sync_all()?;
        fs::rename(&temporary.path, &temporary.target)
    }
}

/// Removes `path` and ends the process on a signal, with the exit code that shells give that signal.
fn remove_on_signals(path: PathBuf) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let mut signals = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            Hangup::listen()?,
        )
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let number = runtime.block_on(async {
                tokio::select! {
                    _ = signals.0.recv() => SignalKind::interrupt(),
                    _ = signals.1.recv() => SignalKind::terminate(),
                    () = signals.2.recv() => SignalKind::hangup(),
                }
            });
            let _ = fs::remove_file(path);
            process::exit(128 + number.as_raw_value());
        })?;
    Ok(())
}
