//! Input of a command: a file or the standard input, gzipped or not, a JSON array or one record per line.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::path::Path;

use super::plain::{Elements, Plain};

/// An open file of requests.
pub struct Source {
    /// Name in messages.
    pub name: String,
    /// Size of the file in bytes, if it is a regular file. For gzip, the compressed size.
    pub size: Option<u64>,
    text: Elements<Plain<File>>,
}

/// Error of opening a file: a sentence that names the file and the remedy.
#[derive(Debug)]
pub struct CannotOpen {
    name: String,
    why: io::Error,
}

impl fmt::Display for CannotOpen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: cannot open: {}; name a file that can be read, or - for the standard input",
            self.name, self.why
        )
    }
}

impl std::error::Error for CannotOpen {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.why)
    }
}

impl Source {
    /// Opens the file at `path`, or the standard input for `-`.
    ///
    /// # Errors
    /// If the file cannot be opened, or is a directory.
    pub fn open(path: &Path) -> Result<Source, CannotOpen> {
        let (name, file) = if path == Path::new("-") {
            let stdin = io::stdin().as_fd().try_clone_to_owned();
            ("standard input".to_owned(), stdin.map(File::from))
        } else {
            (path.display().to_string(), File::open(path))
        };
        let opened = file.and_then(|file| Ok((file.metadata()?, file)));
        match opened {
            Ok((metadata, _)) if metadata.is_dir() => Err(CannotOpen {
                name,
                why: io::ErrorKind::IsADirectory.into(),
            }),
            Ok((metadata, file)) => Ok(Source {
                name,
                size: metadata.is_file().then_some(metadata.len()),
                text: Elements::new(Plain::new(file)),
            }),
            Err(why) => Err(CannotOpen { name, why }),
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.text.read(buffer)
    }
}
