//! From a text to token ids: tokenize, look up in a dictionary, count.

mod dictionary;
mod tokenizer;

use alloc::vec::Vec;

pub use dictionary::{Dictionary, MAX_GRAM_ORDER, Scratch, TokenTable};
pub use tokenizer::{NumberPolicy, Tokenizer, Tokens};

/// Sorts `ids` and replaces the contents of `text` by (id, count), ascending by id.
///
/// ```
/// let mut text = Vec::new();
/// catboost_runtime::text::count(&mut [5, 2, 5], &mut text);
/// assert_eq!(text, [(2, 1), (5, 2)]);
/// ```
pub fn count(ids: &mut [u32], text: &mut Vec<(u32, u32)>) {
    ids.sort_unstable();
    text.clear();
    text.extend(
        ids.chunk_by(|a, b| a == b)
            .map(|same| (same[0], same.len() as u32)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_ascending_id() {
        let mut text = alloc::vec![(9, 9)];
        count(&mut [5, 0, 5, 3, 5], &mut text);
        assert_eq!(text, [(0, 1), (3, 1), (5, 3)]);
        count(&mut [], &mut text);
        assert_eq!(text, []);
    }
}
