//! Requests to send, and the expected answers.

use std::fmt;
use std::path::Path;

use super::target::Target;
use crate::answer::write_one;
use crate::pick_regno::pick_regno;
use crate::records::{Block, Blocks, CannotOpen, Records, Source, Unreadable};
use crate::request::parse_object;

/// Maximum number of requests that are read from a file. They are held in memory.
const MAX_EXCHANGES: usize = 100_000;

/// Requests of a file as they are sent, with the answers of this program's own model.
pub(super) struct Replay {
    exchanges: Vec<Exchange>,
}

/// Request with its answer.
pub(super) struct Exchange {
    /// Head and body of the request.
    pub(super) request: Vec<u8>,
    /// Body of the answer.
    pub(super) answer: Vec<u8>,
}

/// Reason why a file cannot be sent: a sentence that names it.
#[derive(Debug)]
pub(super) enum ReplayError {
    Open(CannotOpen),
    Read(String, Unreadable),
    /// Record that the service would refuse, which is indistinguishable from a failing service.
    Record(String, String),
    Empty(String),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::Open(why) => why.fmt(formatter),
            ReplayError::Read(name, why) => write!(formatter, "{name}: {why}"),
            ReplayError::Record(name, why) => write!(
                formatter,
                "{name}: {why}; only requests that have an answer can be sent"
            ),
            ReplayError::Empty(name) => write!(formatter, "{name}: no request in it"),
        }
    }
}

impl Replay {
    /// Reads the requests of a file, and computes their answers.
    pub(super) fn read(path: &Path, target: &Target) -> Result<Replay, ReplayError> {
        let source = Source::open(path).map_err(ReplayError::Open)?;
        let name = source.name.clone();
        let unreadable = |why| ReplayError::Read(name.clone(), why);
        let bad = |why: &dyn fmt::Display| ReplayError::Record(name.clone(), why.to_string());
        let mut blocks = Blocks::open(source, None).map_err(unreadable)?;
        let mut exchanges = Vec::new();
        while exchanges.len() < MAX_EXCHANGES {
            let block = blocks.next(Vec::new());
            match block.map_err(|why| unreadable(Unreadable::Io(why)))? {
                None => break,
                Some(Block::Fault(fault)) => return Err(bad(&fault)),
                Some(Block::Records(text)) => {
                    let mut records = Records::new(blocks.shape(), &text);
                    while let Some(body) = records.next_body() {
                        exchanges.push(exchange(&body.map_err(|fault| bad(&fault))?, target));
                    }
                }
            }
        }
        exchanges.truncate(MAX_EXCHANGES);
        match exchanges.is_empty() {
            true => Err(ReplayError::Empty(name)),
            false => Ok(Replay { exchanges }),
        }
    }

    /// Returns the exchange for a turn. After the last exchange, the first follows.
    pub(super) fn exchange(&self, turn: u64) -> &Exchange {
        &self.exchanges[(turn % self.exchanges.len() as u64) as usize]
    }
}

fn exchange(body: &[u8], target: &Target) -> Exchange {
    let request = parse_object(body).expect("a body that was read can be read again");
    let mut answer = Vec::new();
    write_one(&pick_regno(&request), &mut answer);
    Exchange {
        request: target.request(body),
        answer,
    }
}
