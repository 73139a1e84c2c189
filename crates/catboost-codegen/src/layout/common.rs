//! The commonest tokens: those of one character, and their pairs.

use std::collections::HashMap;

use catboost_model::ir::{Dictionary, Gram, TokenTable};
use catboost_runtime::{compiled, hash};

use super::Part;
use crate::tables::{Tables, put};

/// Characters of one or two bytes are below this.
const LETTERS: u32 = 0x800;
/// With more inner ids a table of all pairs is too large to be in a processor's cache.
const MAX_INNER: u32 = 64;

/// See [`compiled::Common`].
pub(crate) struct Common {
    /// Of `u32s`.
    pub(crate) letters: Part,
    pub(crate) inner: u32,
    /// Of `u32s`.
    pub(crate) pairs: Part,
}

impl Common {
    pub(super) fn lay_out(dictionary: &Dictionary, tables: &mut Tables) -> Self {
        let words = Ids::of(&dictionary.tokens);
        let mut letters: Vec<u32> = (0..LETTERS)
            .map(|letter| {
                let letter = char::from_u32(letter).expect("surrogates come later");
                let mut bytes = [0; 4];
                let letter = letter.encode_utf8(&mut bytes).as_bytes();
                words.find(hash::murmur2_64a(letter, dictionary.tokens.seed))
            })
            .collect();
        while letters.last() == Some(&compiled::Common::NONE) {
            letters.pop();
        }

        let inner = words.0.values().max().map_or(0, |&most| most + 1);
        let pairs = match (dictionary.gram, &dictionary.grams) {
            (
                Gram::Words {
                    order: 2,
                    skip_step: 0,
                },
                Some(grams),
            ) if inner <= MAX_INNER => {
                let ids = Ids::of(grams);
                let pairs = (0..inner).flat_map(|a| (0..inner).map(move |b| [a, b]));
                let hashes = pairs.map(|pair| hash::murmur2_64a_ids(&pair, grams.seed));
                match ids.0.is_empty() {
                    true => Vec::new(),
                    false => hashes.map(|hash| ids.find(hash)).collect(),
                }
            }
            _ => Vec::new(),
        };
        Self {
            letters: put(&mut tables.u32s, letters),
            inner,
            pairs: put(&mut tables.u32s, pairs),
        }
    }
}

/// The ids of a table by their hashes; empty, so that all are looked up at run time, if one has the id that means «none».
struct Ids(HashMap<u64, u32>);

impl Ids {
    fn of(table: &TokenTable) -> Self {
        let ids = table.entries.iter().copied();
        let ids: HashMap<u64, u32> = ids.collect();
        match ids.values().any(|&id| id == compiled::Common::NONE) {
            true => Self(HashMap::new()),
            false => Self(ids),
        }
    }

    fn find(&self, hash: u64) -> u32 {
        let id = self.0.get(&hash).copied();
        id.unwrap_or(compiled::Common::NONE)
    }
}
