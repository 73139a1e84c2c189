//! A command's input: a file that is named, or the standard input, gzipped or not, a JSON array or a record a line.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::path::Path;

use super::plain::{Elements, Plain};

/// An open file of requests.
pub struct Source {
    /// What messages call it.
    pub name: String,
    /// Its size in bytes, if it is a regular file; packed, if it is.
    pub size: Option<u64>,
    text: Elements<Plain<File>>,
}

/// Why a file could not be opened: a sentence that names it and the remedy.
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
    /// Opens the file at `path`; `-` is the standard input.
    ///
    /// # Errors
    /// If it cannot be opened, or is a directory.
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
