//! Model files. Heads are read and checked first, since a file can have gigabytes.
//!
//! | step | bytes that are read | checks |
//! | --- | --- | --- |
//! | format | the first 4,096 | magic bytes |
//! | head of a `.cbm` | to the end of the core | features, borders, depths, names of the parts |
//! | parts of a `.cbm`, or all of JSON | to the end of the file | everything else |

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
    /// CatBoost's binary format: begins with `CBM1`.
    Cbm,
    /// JSON, by its first `{`: the document without byte-order mark and leading blanks.
    Json(&'a [u8]),
    /// Any other format, or the beginning of a file that has only blanks so far.
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

/// Reads a model file, a `.cbm` or a JSON export. The first bytes decide which, not the name.
///
/// The head of a `.cbm` is checked before the rest is read, so that an unsupported model fails early.
///
/// # Errors
/// If the file cannot be read, is not a model, is inconsistent, or has unsupported content
/// ([`Error::is_unsupported`]).
///
/// ```no_run
/// let model = catboost_model::load("model.cbm".as_ref())?;
/// println!("{} trees, {} raw values per row", model.tree_count(), model.dimension);
/// # Ok::<(), catboost_model::Error>(())
/// ```
pub fn load(path: &Path) -> Result<Model, Error> {
    load_into(path, &mut Vec::new())
}

/// Reads a model file like [`load`], and leaves the bytes that were read in `bytes`. Previous contents are
/// replaced.
///
/// After success the bytes are the whole file, for example to compute its SHA-256. After an error they may be
/// only its beginning.
///
/// # Errors
/// As [`load`].
pub fn load_into(path: &Path, bytes: &mut Vec<u8>) -> Result<Model, Error> {
    let file = File::open(path)?;
    let len = length(&file)?;
    read_known(file, len, bytes)
}

/// Reads a model from a reader of its file, and leaves the bytes in `bytes`. Previous contents are replaced.
///
/// The head of a `.cbm` is checked before the rest is read. The reader is read to its end, unless there is an
/// error. It need not be buffered.
///
/// # Errors
/// As [`load`].
///
/// ```
/// let json = br#"{"features_info": {}, "scale_and_bias": [1, [0.5]], "oblivious_trees": []}"#;
/// let mut bytes = Vec::new();
/// let model = catboost_model::read(&json[..], &mut bytes)?;
/// assert_eq!(model.bias, [0.5]);
/// assert_eq!(bytes, json);
/// # Ok::<(), catboost_model::Error>(())
/// ```
pub fn read(reader: impl Read, bytes: &mut Vec<u8>) -> Result<Model, Error> {
    read_known(reader, None, bytes)
}

/// Reads a model from a reader. `len` is the length of the file in bytes, if known: a `.cbm` whose core would
/// end after it is refused before memory is reserved.
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

/// Reads the core of a `.cbm`, whose beginning has been read. Also returns the [`Budget`] that the core left.
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

/// Head of a `.cbm` as in the file: the flatbuffer `TModelCore` of CatBoost's `model.fbs`. Few checks are
/// made, and nothing after it is read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Head {
    /// Length of the file in bytes, if it is a regular file.
    pub len: Option<u64>,
    /// Metadata (`InfoMap`): key → text. Unlike [`Model::info`], JSON in it is left as the file has it.
    pub info: BTreeMap<String, String>,
    /// Number of raw values per row (`ApproxDimension`), at least 1.
    pub dimension: i64,
    /// Number of trees.
    pub trees: usize,
    /// True if the trees are oblivious; also true if there are none.
    pub oblivious: bool,
    /// Number of numeric features, used by the trees or not.
    pub floats: usize,
    /// Number of categorical features, used by the trees or not.
    pub cats: usize,
    /// Number of text features, used by the trees or not.
    pub texts: usize,
    /// Number of embedding features, used by the trees or not.
    pub embeddings: usize,
    /// Number of CTRs, each with borders of its own. Several can look up the same table of counts.
    pub ctrs: usize,
    /// Names of the parts after the head (`ModelPartIds`), in file order: `static_provider_v1` has the tables
    /// of CTRs, `text_process_v2` the text features' dictionaries and calcers, `embed_process_1` the calcers
    /// of embeddings. The names of the last two may end with NUL.
    pub parts: Vec<String>,
}

/// Reads the head of a `.cbm`, to describe a model that cannot be loaded.
///
/// # Errors
/// If the file cannot be read, is not a `.cbm`, or has a head that is damaged or has an unsupported format
/// version.
///
/// ```no_run
/// let head = catboost_model::head("model.cbm".as_ref())?;
/// println!("{} trees, {} CTRs, parts {:?}", head.trees, head.ctrs, head.parts);
/// # Ok::<(), catboost_model::Error>(())
/// ```
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
