//! The workers' side of the recorder: gathers answered rows, and passes them on in large blocks.

use std::cell::RefCell;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::pick_regno::Answer;

/// Size in bytes of a block that is passed on.
pub(super) const BLOCK: usize = 64 * 1024;
/// Number of spare buffers that are kept.
pub(super) const SPARE: usize = 4;

thread_local! {
    /// Gathered rows of this worker thread.
    static GATHERED: RefCell<Block> = const { RefCell::new(Block { rows: 0, bytes: Vec::new() }) };
}

/// Rows on their way to the writer.
pub(super) struct Block {
    /// Number of rows.
    pub(super) rows: u64,
    /// Concatenated [`Entry`]s.
    pub(super) bytes: Vec<u8>,
}

/// Empty buffers of blocks, to be used again: growing new ones would delay some answers by tens of microseconds.
pub(super) type Spare = Mutex<Vec<Vec<u8>>>;

/// Kind of an answered text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A body of `POST /reg/`: an object, an array, or a JSON string that holds either.
    Body = 0,
    /// A JSON object: a record of a batch.
    Object = 1,
}

/// Request, or one record of a batch, with its answers.
#[derive(Debug, PartialEq)]
pub(super) struct Entry<'a> {
    pub(super) source: Source,
    /// Time in microseconds since 1970.
    pub(super) micros: u64,
    /// `seq` of the first row.
    pub(super) seq: u64,
    /// Index of the first row within its request.
    pub(super) row: u64,
    pub(super) request_id: &'a str,
    /// SHA-256 of the model.
    pub(super) model: &'a str,
    pub(super) text: &'a [u8],
    /// Three doubles per row: raw, negative, positive.
    answers: &'a [[u8; 24]],
}

/// Adds the answers of `model`, a SHA-256, to `text`, whose first row has the index `row` within the request and the number `seq`.
/// Returns true if this thread has gathered enough to be handed over.
pub(super) fn gather(
    source: Source,
    [request_id, model]: [&str; 2],
    (row, seq): (u64, u64),
    text: &[u8],
    answers: &[Answer],
) -> bool {
    let rows = answers.len() as u64;
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since.map_or(0, |since| since.as_micros() as u64);
    GATHERED.with_borrow_mut(|block| {
        let out = &mut block.bytes;
        let id = &request_id.as_bytes()[..request_id.len().min(255)];
        out.reserve(text.len() + 24 * answers.len() + 400);
        let model = &model.as_bytes()[..model.len().min(64)];
        out.extend_from_slice(&[source as u8, id.len() as u8, model.len() as u8]);
        for number in [micros, seq, row, rows, text.len() as u64] {
            out.extend_from_slice(&number.to_ne_bytes());
        }
        out.extend_from_slice(id);
        out.extend_from_slice(model);
        for answer in answers {
            for number in [answer.raw, answer.negative, answer.positive] {
                out.extend_from_slice(&number.to_bits().to_ne_bytes());
            }
        }
        out.extend_from_slice(text);
        block.rows += rows;
        out.len() >= BLOCK
    })
}

/// Returns true if this thread has gathered nothing.
pub(super) fn is_empty() -> bool {
    GATHERED.with_borrow(|block| block.rows == 0)
}

/// Takes what this thread has gathered. The thread goes on in `bytes`, which is empty.
pub(super) fn take_gathered(bytes: Vec<u8>) -> Block {
    GATHERED.replace(Block { rows: 0, bytes })
}

impl Block {
    /// Iterates over the entries.
    pub(super) fn entries(&self) -> Entries<'_> {
        Entries(&self.bytes)
    }
}

/// Entries of a block.
pub(super) struct Entries<'a>(&'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let mut rest = self.0;
        let [source, id_len, model_len] = *rest.split_off(..3)?.first_chunk()?;
        let mut number = || Some(u64::from_ne_bytes(*rest.split_off(..8)?.first_chunk()?));
        let (micros, seq, row) = (number()?, number()?, number()?);
        let (rows, text_len) = (number()? as usize, number()? as usize);
        let mut name = |len: u8| std::str::from_utf8(rest.split_off(..usize::from(len))?).ok();
        let (request_id, model) = (name(id_len)?, name(model_len)?);
        let (answers, _) = rest.split_off(..24 * rows)?.as_chunks();
        let text = rest.split_off(..text_len)?;
        self.0 = rest;
        Some(Entry {
            source: match source {
                0 => Source::Body,
                _ => Source::Object,
            },
            micros,
            seq,
            row,
            request_id,
            model,
            text,
            answers,
        })
    }
}

impl Entry<'_> {
    /// Returns the answers in the order of the rows.
    pub(super) fn answers(&self) -> impl ExactSizeIterator<Item = Answer> {
        self.answers.iter().map(|bytes| {
            let (numbers, _) = bytes.as_chunks::<8>();
            let number = |at: usize| f64::from_bits(u64::from_ne_bytes(numbers[at]));
            Answer {
                raw: number(0),
                negative: number(1),
                positive: number(2),
            }
        })
    }
}
