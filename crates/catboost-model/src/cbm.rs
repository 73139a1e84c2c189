//! Reader of CatBoost's binary format: `CBM1`, the length of a flatbuffer, the flatbuffer, and the parts that
//! it names, one after the other. All numbers are little-endian. CatBoost's own reader is `TFullModel::Load`
//! (`catboost/libs/model/model.cpp`).
//!
//! ```text
//! 4 bytes       magic, CBM1
//! 4 or 12       length of the core, written by SaveSize: a u32, or 2^32 - 1 and then a u64
//!               core: flatbuffer TModelCore (trees and features), see `core`
//!               the parts in the order of TModelCore.ModelPartIds
//! ```
//!
//! | part | contents | reader |
//! | --- | --- | --- |
//! | `static_provider_v1` | tables of CTRs | `ctr` |
//! | `text_process_v2` | tokenizers, dictionaries, calcers of texts | `text` |
//! | `embed_process_1` | calcers of embeddings | `embeddings` |
//!
//! `bytes` is the cursor over the file, `flat` reads flatbuffers.

mod bytes;
mod core;
mod ctr;
mod embeddings;
mod flat;
mod text;

use std::mem;

use bytes::Bytes;
pub(crate) use flat::Budget;
use flat::{Flat, Table};

use crate::{Error, raw::RawModel};

/// Magic bytes at the beginning of a file.
pub(crate) const MAGIC: &[u8] = b"CBM1";
/// Bytes that tell how long the core is: the magic, and a length of 32 bits, or of 64 behind 32.
pub(crate) const HEAD: usize = 16;

/// Bytes from a file's beginning to the end of its core, as its first [`HEAD`] bytes say. `usize::MAX` if
/// they are cut short, or the sum exceeds a `usize`; a later read then fails.
pub(crate) fn core_end(head: &[u8]) -> usize {
    let budget = Budget::new(0);
    let mut bytes = Bytes::new(head, &budget);
    let size = bytes.take(MAGIC.len()).and_then(|_| bytes.size());
    let size = size.ok().and_then(|size| usize::try_from(size).ok());
    let read = head.len() - bytes.left();
    read.saturating_add(size.unwrap_or(usize::MAX))
}

/// Reads the core of a file: the trees and the features. The rest of the file need not be there.
/// [`read_parts`] adds the tables, calcers and estimated features.
///
/// # Errors
/// If the core is cut short or damaged, or has another version than `FlabuffersModel_v1`.
pub(crate) fn read_core(file: &[u8], budget: &Budget) -> Result<RawModel, Error> {
    let core = core(&mut Bytes::new(file, budget))?;
    let mut model = core::read(&core)?;
    model.parts = core::parts(&core)?;
    Ok(model)
}

/// Refuses parts that are not known, before they are read. CatBoost refuses them, too.
pub(crate) fn check_parts(model: &RawModel) -> Result<(), Error> {
    let mut parts = model.parts.iter();
    match parts.find(|part| Part::named(part).is_none()) {
        None => Ok(()),
        Some(part) => {
            let part = part.escape_debug();
            Err(Error::unsupported(format!("the model part `{part}`")))
        }
    }
}

/// Reads the parts of a whole file that follow its core, and the estimated features of the core, which refer
/// to them. `budget` is what the core left.
///
/// # Panics
/// If a part is not known: [`check_parts`] comes first.
pub(crate) fn read_parts(file: &[u8], model: &mut RawModel, budget: &Budget) -> Result<(), Error> {
    let mut bytes = Bytes::new(file, budget);
    let core = core(&mut bytes)?;
    budget.add(bytes.left());
    let mut calcers = core::Calcers::default();
    for part in mem::take(&mut model.parts) {
        match Part::named(&part) {
            Some(Part::Ctrs) => model.ctr_tables = ctr::read(&mut bytes)?,
            Some(Part::Texts) => (model.text, calcers.texts) = text::read(&mut bytes)?,
            Some(Part::Embeddings) => {
                (model.embedding_calcers, calcers.embeddings) = embeddings::read(&mut bytes)?;
            }
            None => unreachable!("the parts are checked"),
        }
    }
    // Like CatBoost, this does not read what follows the last part.
    model.estimated = core::estimated(&core, &calcers)?;
    Ok(())
}

/// Skips the magic bytes and returns the root table of the core.
fn core<'a>(bytes: &mut Bytes<'a>) -> Result<Table<'a>, Error> {
    bytes.take(MAGIC.len())?;
    bytes.sized_flat()?.root()
}

/// A part that follows the core.
enum Part {
    /// `static_provider_v1`: tables of CTRs.
    Ctrs,
    /// `text_process_v2`: tokenizers, dictionaries and calcers of texts.
    Texts,
    /// `embed_process_1`: calcers of embeddings.
    Embeddings,
}

impl Part {
    /// Returns the part with a name, or `None` if it is not known. The names of texts and embeddings may end
    /// with NUL bytes.
    fn named(name: &str) -> Option<Self> {
        match name {
            "static_provider_v1" => Some(Self::Ctrs),
            name if name.trim_end_matches('\0') == "text_process_v2" => Some(Self::Texts),
            name if name.trim_end_matches('\0') == "embed_process_1" => Some(Self::Embeddings),
            _ => None,
        }
    }
}

/// The parts after the core are not flatbuffers, but contain some.
impl<'a> Bytes<'a> {
    /// Reads a flatbuffer that is preceded by its length, written by `SaveSize`.
    fn sized_flat(&mut self) -> Result<Flat<'a>, Error> {
        let len = self.size()?;
        self.flat(len)
    }

    /// Reads a flatbuffer that is preceded by its 64-bit length.
    fn sized_flat_u64(&mut self) -> Result<Flat<'a>, Error> {
        let len = self.u64()?;
        self.flat(len)
    }
}
