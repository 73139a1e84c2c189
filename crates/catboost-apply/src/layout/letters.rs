//! Texts whose tokens are single characters: tables of the dictionaries' ids for each character and for pairs of
//! neighbors.
//!
//! A text such as a licence plate with a delimiter between its letters has few different tokens. Letters that
//! all dictionaries treat alike share a code; the ids of each code, or of each pair of adjacent codes, are
//! found here. At run time such a text is neither hashed nor looked up in a dictionary. Any other text takes
//! the general path.

use std::collections::{BTreeSet, HashMap};

use catboost_model::ir::{Dictionary, Gram, Tokenizer};
use catboost_runtime::{
    compiled::{Letters, Line, Steps},
    hash,
    storage::Owned,
    text::{TokenTable as _, Tokens},
};

use super::{bags::TokenBits, room::Room};

/// Characters of one or two bytes are less than this.
const LETTERS: u32 = 0x800;
/// Upper bound on the tables of all texts' letters together, in bytes. They grow with the square of the letters, and a
/// file needs few bytes to name another text or dictionary.
pub(super) const ROOM: usize = 64 << 20;
/// Upper bound on the dictionaries of a text.
const MOST_SOURCES: usize = 64;
const NO_TOKEN: u8 = Letters::NO_TOKEN;
const NO_ID: u32 = Steps::NO_ID;

/// Dictionary that a text's tokens are looked up in.
pub(super) struct Source<'a> {
    dictionary: &'a Dictionary,
    tells_unknown: bool,
    bag: &'a TokenBits,
    /// True if ids depend on a token, or on a token and the one before, alone.
    is_by_letter: bool,
}

impl<'a> Source<'a> {
    /// `tells_unknown` states that words which the dictionary lacks are reported to observers; `bag` has the bits that
    /// its ids set.
    pub(super) fn new(dictionary: &'a Dictionary, tells_unknown: bool, bag: &'a TokenBits) -> Self {
        let depends = match (dictionary.gram, &dictionary.grams) {
            (Gram::Words { order, skip_step }, Some(_)) => (order, skip_step) == (2, 0),
            (Gram::Words { .. }, None) => true,
            (Gram::Letters { .. }, _) => false,
        };
        let tables = [Some(&dictionary.tokens), dictionary.grams.as_ref()];
        let mut ids = tables.iter().flatten().flat_map(|table| &table.entries);
        Self {
            dictionary,
            tells_unknown,
            bag,
            is_by_letter: depends && !dictionary.end_of_sentence && ids.all(|&(_, id)| id != NO_ID),
        }
    }
}

/// Ids by letter, for each dictionary that supports it.
type IdsByLetter = Vec<Option<Steps<u32, Owned>>>;

/// Lays out the letters, and the ids by letter of each dictionary. `None` if nothing is known of letters, or if their
/// tables would exceed what is `left` of [`ROOM`], or `room`.
///
/// `lines` is the number of lines of the leaf indices. If it is 0, the trees are walked, and bags set nothing here.
pub(super) fn lay_out(
    tokenizer: &Tokenizer,
    sources: &[Source],
    lines: usize,
    left: &mut usize,
    room: &mut Room,
) -> Option<(Letters<Owned>, IdsByLetter)> {
    let &[delimiter] = tokenizer.delimiter.as_bytes() else {
        return None;
    };
    if tokenizer.split_by_set || sources.len() > MOST_SOURCES {
        return None;
    }
    let word = size_of::<Option<Word>>() + sources.len() * size_of::<Option<u32>>();
    if !room.spare(LETTERS as usize * word) {
        return None;
    }
    let letters: Vec<Option<Word>> = (0..LETTERS)
        .map(|letter| Some(Word::of(&only_token(tokenizer, letter)?, sources)))
        .collect();
    let unknown_to_all = Word {
        is_known: false,
        ids: vec![None; sources.len()],
    };
    let words: BTreeSet<&Word> = letters.iter().flatten().chain([&unknown_to_all]).collect();
    let words: Vec<&Word> = words.into_iter().collect();
    if words.len() < 2 || words.len() > usize::from(NO_TOKEN) {
        return None;
    }
    let by_pair = |source: &Source| source.is_by_letter && source.dictionary.grams.is_some();
    let steps = match sources.iter().any(by_pair) {
        true => words.len() * words.len(),
        false => words.len(),
    };
    let size =
        LETTERS as usize + steps * (size_of::<Line>() * lines + size_of::<u32>() * sources.len());
    if size > *left || !room.spare(size) {
        return None;
    }
    *left -= size;

    let mut codes = Box::new([NO_TOKEN; LETTERS as usize]);
    for (code, word) in codes.iter_mut().zip(&letters) {
        if let Some(word) = word {
            *code = words.partition_point(|&other| other < word) as u8;
        }
    }
    let ids: Vec<Option<BySteps<Option<u32>>>> = (0..)
        .zip(sources)
        .map(|(place, source)| ids(place, source, &words))
        .collect();
    let (rows, row_lines) = match lines {
        0 => (BySteps::new(0, 0, |_| 0), Vec::new()),
        lines => rows(words.len(), sources, &ids, lines),
    };
    let tells = |source: &Source| source.tells_unknown && source.is_by_letter;
    let letters = Letters {
        delimiter,
        codes,
        unknown: match sources.iter().any(tells) {
            true => words.partition_point(|word| !word.is_known) as u8,
            false => 0,
        },
        rows: rows.lay_out(|number| number),
        lines: row_lines.into(),
    };
    let id = |id: Option<u32>| id.unwrap_or(NO_ID);
    let by_letter = ids.iter().map(|ids| Some(ids.as_ref()?.lay_out(id)));
    Some((letters, by_letter.collect()))
}

/// Returns the token of a one-character text, if the character is a token.
fn only_token(tokenizer: &Tokenizer, letter: u32) -> Option<Vec<u8>> {
    let letter = char::from_u32(letter).expect("surrogates come later");
    let mut tokens = Tokens::new();
    tokenizer
        .runtime()
        .tokenize(letter.encode_utf8(&mut [0; 4]), &mut tokens);
    let token = tokens.iter().next()?;
    (tokens.len() == 1).then(|| token.to_vec())
}

/// Treatment of a word by the dictionaries. Words that all dictionaries treat alike share a code. Codes have this
/// order, in which the word that is unknown to all is the first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    /// True if the word is in the dictionary whose unknown words are reported to observers.
    is_known: bool,
    /// Id in each dictionary that supports ids by letter (inner id if there are n-grams).
    ids: Vec<Option<u32>>,
}

impl Word {
    fn of(word: &[u8], sources: &[Source]) -> Self {
        let id = |source: &Source| {
            let table = source.is_by_letter.then_some(&source.dictionary.tokens)?;
            table.find(hash::murmur2_64a(word, table.seed))
        };
        let ids: Vec<Option<u32>> = sources.iter().map(id).collect();
        let mut telling = sources.iter().zip(&ids);
        Self {
            is_known: telling.any(|(source, id)| source.tells_unknown && id.is_some()),
            ids,
        }
    }
}

/// Element per code, or, if `stride` (the number of codes) is not 0, per pair of neighbors.
struct BySteps<T> {
    stride: usize,
    table: Vec<T>,
}

impl<T: Copy> BySteps<T> {
    fn new(stride: usize, codes: usize, of: impl FnMut([usize; 2]) -> T) -> Self {
        let befores = if stride == 0 { 1 } else { codes };
        let steps = (0..befores).flat_map(|before| (0..codes).map(move |code| [before, code]));
        Self {
            stride,
            table: steps.map(of).collect(),
        }
    }

    fn of(&self, [before, code]: [usize; 2]) -> T {
        self.table[before * self.stride + code]
    }

    fn lay_out<U: Send + Sync + 'static>(&self, element: impl Fn(T) -> U) -> Steps<U, Owned> {
        Steps {
            stride: self.stride as u32,
            table: self.table.iter().map(|&of| element(of)).collect(),
        }
    }
}

/// Returns a dictionary's ids by step; `None` if it does not support ids by letter.
fn ids(place: usize, source: &Source, words: &[&Word]) -> Option<BySteps<Option<u32>>> {
    if !source.is_by_letter {
        return None;
    }
    let id = |code: usize| words[code].ids[place];
    Some(match &source.dictionary.grams {
        None => BySteps::new(0, words.len(), |[_, code]| id(code)),
        Some(grams) => BySteps::new(words.len(), words.len(), |[before, code]| {
            let pair = [id(before)?, id(code)?];
            grams.find(hash::murmur2_64a_ids(&pair, grams.seed))
        }),
    })
}

/// Returns the row of bits for each step, as an index, and the rows of `lines` lines each. A row has the bits of all
/// dictionaries' ids.
fn rows(
    codes: usize,
    sources: &[Source],
    ids: &[Option<BySteps<Option<u32>>>],
    lines: usize,
) -> (BySteps<u16>, Vec<Line>) {
    let stride = ids.iter().flatten().map(|ids| ids.stride).max();
    let mut numbers: HashMap<Vec<[u32; 16]>, u16> = HashMap::new();
    let mut all = Vec::new();
    let numbers = BySteps::new(stride.unwrap_or(0), codes, |step| {
        let mut row = vec![[0; 16]; lines];
        for (source, ids) in sources.iter().zip(ids) {
            let id = ids.as_ref().and_then(|ids| ids.of(step));
            for &(word, bits) in id.and_then(|id| source.bag.get(&id)).into_iter().flatten() {
                row[word as usize / 16][word as usize % 16] |= bits;
            }
        }
        let next = numbers.len() as u16;
        *numbers.entry(row).or_insert_with_key(|row| {
            all.extend(row.iter().copied().map(Line));
            next
        })
    });
    (numbers, all)
}
