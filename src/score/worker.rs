//! Turns a block of records into a block of answers.

use crate::answer::{write_error, write_explained, write_scored};
use crate::pick_regno::{BLOCK, Blocks};
use crate::picker::Picker;
use crate::records::{Block, Records, Shape};

/// Counts of answered records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Number of records, including those with a fault.
    pub(super) records: u64,
    /// Number of records with a fault.
    pub(super) faults: u64,
}

impl Counts {
    pub(super) fn add(&mut self, more: Counts) {
        self.records += more.records;
        self.faults += more.faults;
    }
}

/// Appends one line for each record of `block`; `blocks` is memory that is reused.
pub(super) fn answer_block(
    shape: &Shape,
    picker: &Picker,
    block: &Block,
    explains: bool,
    blocks: &mut Blocks,
    out: &mut Vec<u8>,
) -> Counts {
    let mut counts = Counts::default();
    match block {
        Block::Fault(fault) => {
            write_error(fault, out);
            counts.add(Counts {
                records: 1,
                faults: 1,
            });
        }
        Block::Records(text) => {
            let mut records = Records::new(shape, text);
            let mut read = Vec::with_capacity(BLOCK);
            loop {
                read.clear();
                read.extend(records.by_ref().take(BLOCK));
                if read.is_empty() {
                    break;
                }
                counts.records += read.len() as u64;
                let requests = read.iter().flatten().filter(|_| !explains);
                let mut answers = picker.pick_all(requests, &mut (), blocks).iter();
                for record in &read {
                    match record {
                        Ok(request) if explains => {
                            let (answer, explanation) = picker.pick_explained(request, &mut ());
                            write_explained(&answer, &explanation, out);
                            out.push(b'\n');
                        }
                        Ok(_) => {
                            let answer = answers.next().expect("a request has an answer");
                            write_scored(answer, out);
                        }
                        Err(fault) => {
                            counts.faults += 1;
                            write_error(fault, out);
                        }
                    }
                }
            }
        }
    }
    counts
}
