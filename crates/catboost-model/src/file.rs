//! Model files. Heads are read and checked first, since a file can have gigabytes.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::Path,
};

use crate::{
    Error,
    cbm::{self, Budget},
    ir::Model,
    lower, parse,
    raw::{RawModel, RawTrees},
};

/// Number of bytes that identify a file's format, unless all are blanks.
const BEGINNING: usize = 4096;
/// Number of bytes that are read of a file that is not a model, to describe it: it may contain a model.
const FOREIGN: usize = 64 << 20;

/// Format of a file.
pub(crate) enum Format<'a> {
    Cbm,
    /// Document without byte-order mark and leading blanks.
    Json(&'a [u8]),
    Other,
}

impl<'a> Format<'a> {
    /// Detects the format. `file` may be the beginning of a file.
    pub(crate) fn of(file: &'a [u8]) -> Self {
        if file.starts_with(cbm::MAGIC) {
            return Self::Cbm;
        }
        let text = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
        let text = text.trim_ascii_start();
        match text.first() {
            Some(b'{') => Self::Json(text),
            _ => Self::Other,
        }
    }
}

/// Reads a model file, a `.cbm` or a JSON export. The first bytes decide which.
///
/// # Errors
/// If the file cannot be read, is not a model, is inconsistent, or has unsupported content ([`Error::is_unsupported`]).
pub fn load(path: &Path) -> Result<Model, Error> {
    load_into(path, &mut Vec::new())
}

/// Reads a model file like [`load`], and leaves the bytes that were read in `bytes`.
///
/// # Errors
/// As [`load`].
pub fn load_into(path: &Path, bytes: &mut Vec<u8>) -> Result<Model, Error> {
    let file = File::open(path)?;
    let len = length(&file)?;
    read_known(file, len, bytes)
}

/// Reads a model from a reader of its file, and leaves the bytes in `bytes`. The head of a `.cbm` is checked before the
/// rest is read.
///
/// # Errors
/// As [`load`].
pub fn read(reader: impl Read, bytes: &mut Vec<u8>) -> Result<Model, Error> {
    read_known(reader, None, bytes)
}

fn read_known(
    mut reader: impl Read,
    len: Option<u64>,
    bytes: &mut Vec<u8>,
) -> Result<Model, Error> {
    bytes.clear();
    read_up_to(&mut reader, BEGINNING, bytes)?;
    match Format::of(bytes) {
        Format::Cbm => {
            let (core, budget) = read_core(&mut reader, len, bytes)?;
            cbm::check_parts(&core)?;
            lower::lower(core, |model| {
                reader.read_to_end(bytes)?;
                cbm::read_parts(bytes, model, &budget)
            })
        }
        Format::Other if !bytes.trim_ascii_start().is_empty() => {
            read_up_to(&mut reader, FOREIGN, bytes)?;
            parse(bytes)
        }
        Format::Json(_) | Format::Other => {
            reader.read_to_end(bytes)?;
            parse(bytes)
        }
    }
}

/// Reads the core of a `.cbm`, whose beginning has been read.
fn read_core(
    reader: &mut impl Read,
    len: Option<u64>,
    bytes: &mut Vec<u8>,
) -> Result<(RawModel, Budget), Error> {
    let end = cbm::core_end(bytes);
    match len {
        Some(len) if len < end as u64 => {
            return Err(Error::cbm(
                cbm::MAGIC.len(),
                format!(
                    "expected a core that ends at byte {end}, found {len} bytes: the file is cut short or damaged"
                ),
            ));
        }
        _ => read_up_to(reader, end, bytes)?,
    }
    let budget = Budget::new(bytes.len().min(end));
    Ok((cbm::read_core(bytes, &budget)?, budget))
}

/// Reads until there are `end` bytes, or no more.
fn read_up_to(reader: &mut impl Read, end: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
    let more = end.saturating_sub(bytes.len()) as u64;
    reader.take(more).read_to_end(bytes).map(drop)
}

/// Length of a regular file; `None` for others.
fn length(file: &File) -> io::Result<Option<u64>> {
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some(metadata.len()))
}

/// Head of a `.cbm` as in the file. Few checks are made, and nothing after it is read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Head {
    /// Length of the file in bytes, if it is a regular file.
    pub len: Option<u64>,
    /// Metadata: key → text.
    pub info: BTreeMap<String, String>,
    /// Number of raw values per row.
    pub dimension: i64,
    /// Number of trees.
    pub trees: usize,
    /// True if the trees are oblivious.
    pub oblivious: bool,
    /// Number of numeric features.
    pub floats: usize,
    /// Number of categorical features.
    pub cats: usize,
    /// Number of text features.
    pub texts: usize,
    /// Number of embedding features.
    pub embeddings: usize,
    /// Number of CTRs.
    pub ctrs: usize,
    /// Names of the parts after the head, with the tables.
    pub parts: Vec<String>,
}

/// Reads the head of a `.cbm`, to describe a model that cannot be loaded.
///
/// # Errors
/// If the file is not a `.cbm`, or its head cannot be read.
pub fn head(path: &Path) -> Result<Head, Error> {
    let mut file = File::open(path)?;
    let len = length(&file)?;
    let mut bytes = Vec::new();
    read_up_to(&mut file, cbm::HEAD, &mut bytes)?;
    if !bytes.starts_with(cbm::MAGIC) {
        return Err(Error::foreign("it does not begin with CBM1".to_owned()));
    }
    let (core, _) = read_core(&mut file, len, &mut bytes)?;
    let (trees, oblivious) = match &core.trees {
        RawTrees::Oblivious(trees) => (trees.len(), true),
        RawTrees::NonSymmetric(trees) => (trees.len(), false),
    };
    Ok(Head {
        len,
        dimension: core.dimension,
        trees,
        oblivious,
        floats: core.floats.len(),
        cats: core.cats.len(),
        texts: core.texts.len(),
        embeddings: core.embeddings.len(),
        ctrs: core.ctrs.len(),
        info: core.info,
        parts: core.parts,
    })
}
