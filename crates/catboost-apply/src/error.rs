//! Why a model could not be loaded.

use std::{
    error,
    fmt::{self, Display, Formatter},
    io,
    path::PathBuf,
};

/// Why a model could not be loaded. Its text is a sentence that says where, what was expected, and what was found.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    Io(Option<PathBuf>, io::Error),
    /// The file is not a model that is supported.
    Model(Option<PathBuf>, catboost_model::Error),
}

impl Error {
    /// The error with the path of the file.
    pub(crate) fn at(self, path: &std::path::Path) -> Self {
        let path = Some(path.to_owned());
        match self {
            Self::Io(_, error) => Self::Io(path, error),
            Self::Model(_, error) => Self::Model(path, error),
        }
    }

    /// Whether the file is a sound model that is not supported.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Model(_, error) if error.is_unsupported())
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (Self::Io(path, _) | Self::Model(path, _)) = self;
        if let Some(path) = path {
            write!(f, "{}: ", path.display())?;
        }
        match self {
            Self::Io(_, error) => write!(f, "the file cannot be read: {error}"),
            Self::Model(_, error) => error.fmt(f),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            Self::Model(_, error) => Some(error),
        }
    }
}
