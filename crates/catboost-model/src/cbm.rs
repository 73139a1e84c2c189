//! Reader of CatBoost's binary format: `CBM1`, the length of a flatbuffer, the flatbuffer, and the parts that it names,
//! one after the other. All numbers are little-endian.

mod bytes;
mod core;
mod ctr;
mod embeddings;
mod flat;
mod text;

use bytes::Bytes;
use flat::{Budget, Flat};

use crate::{Error, raw::RawModel};

/// Magic bytes at the beginning of a file.
pub(crate) const MAGIC: &[u8] = b"CBM1";

/// Reads a whole file.
pub(crate) fn read(file: &[u8]) -> Result<RawModel, Error> {
    let budget = Budget::of(file);
    let mut bytes = Bytes::new(file, &budget);
    bytes.take(MAGIC.len())?;
    let core = bytes.sized_flat()?.root()?;
    let parts = core::parts(&core)?;
    let mut model = core::read(&core)?;
    let mut calcers = core::Calcers::default();
    for part in parts {
        match part.as_str() {
            "static_provider_v1" => model.ctr_tables = ctr::read(&mut bytes)?,
            part if part.trim_end_matches('\0') == "text_process_v2" => {
                (model.text, calcers.texts) = text::read(&mut bytes)?;
            }
            part if part.trim_end_matches('\0') == "embed_process_1" => {
                (model.embedding_calcers, calcers.embeddings) = embeddings::read(&mut bytes)?;
            }
            part => {
                return Err(Error::unsupported(format!(
                    "the model part `{}`",
                    part.escape_debug()
                )));
            }
        }
    }
    // Like CatBoost, this does not read what follows the last part.
    model.estimated = core::estimated(&core, &calcers)?;
    Ok(model)
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
