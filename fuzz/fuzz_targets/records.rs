//! Files of records: the requests and faults do not depend on how the bytes are split, nor on the pauses between
//! pieces.

#![no_main]

use std::io::{self, ErrorKind, Read};

use pick_regno::records::{Block, Blocks, Format, Limits, Records, Unreadable};

/// Limits that short inputs exceed.
const LIMITS: Limits = Limits {
    record: 512,
    block: 128,
};

/// Returns pieces of given lengths, with [`io::ErrorKind::WouldBlock`] before each.
struct Pieces<'a> {
    rest: &'a [u8],
    lengths: &'a [u8],
    next: usize,
    waits: bool,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.waits = !self.waits;
        if self.waits && !self.rest.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let piece = match self.lengths {
            [] => usize::MAX,
            lengths => usize::from(lengths[self.next % lengths.len()]) + 1,
        };
        self.next += 1;
        let len = piece.min(self.rest.len()).min(buffer.len());
        buffer[..len].copy_from_slice(&self.rest[..len]);
        self.rest = &self.rest[len..];
        Ok(len)
    }
}

/// Returns the request or fault of each record of `text`, given pieces of `lengths`. `None` if a record came near the
/// limit, where the amount that was read matters.
fn told(text: &[u8], format: Option<Format>, lengths: &[u8]) -> Option<Vec<String>> {
    let source = Pieces {
        rest: text,
        lengths,
        next: 0,
        waits: false,
    };
    let mut blocks = Blocks::new(source, LIMITS);
    loop {
        match blocks.begin(format) {
            Ok(()) => break,
            Err(Unreadable::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Some(vec![error.to_string()]),
        }
    }
    let shape = blocks.shape().clone();
    let (mut told, mut is_near_limit) = (Vec::new(), false);
    loop {
        match blocks.next(Vec::new()) {
            Ok(None) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            Ok(Some(Block::Fault(fault))) => {
                is_near_limit = true;
                told.push(fault.to_string());
            }
            Ok(Some(Block::Records(text))) => {
                let mut records = Records::of(&shape, &text, LIMITS.record);
                while let Some(record) = records.next() {
                    told.push(match record {
                        Ok(request) => format!("{request:?}"),
                        Err(fault) => fault.to_string(),
                    });
                }
                assert!(records.rest().is_empty());
            }
        }
    }
    (!is_near_limit).then_some(told)
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&[format, ref lengths @ ..], text)) = bytes.split_first_chunk::<5>() else {
        return;
    };
    let format = match format % 3 {
        0 => None,
        1 => Some(Format::Csv),
        _ => Some(Format::Ndjson),
    };
    let whole = told(text, format, &[]);
    for cut in [&lengths[..], &[0]] {
        let pieces = told(text, format, cut);
        if let (Some(whole), Some(pieces)) = (&whole, &pieces) {
            assert_eq!(whole, pieces, "cut into {cut:?}");
        }
    }
});
