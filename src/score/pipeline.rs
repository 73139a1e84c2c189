//! Workers, writer.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use super::output::Output;
use super::progress::Progress;
use super::worker::{Counts, answer_block};
use crate::records::{Block, Blocks, Shape};

/// Blocks that may wait to be written, for each thread that answers: enough that a slow block holds nobody up.
const BLOCKS_A_THREAD: usize = 2;

/// Why a run ended early.
#[derive(Debug)]
pub(super) enum Failure {
    /// The input could not be read on.
    Read(io::Error),
    /// The output could not be written on.
    Write(io::Error),
    /// A thread could not be started.
    Start(io::Error),
    /// A thread panicked.
    Thread,
}

/// Where workers get their blocks, one at a time, and line up to have the answers written.
struct Source<R> {
    blocks: Blocks<R>,
    /// A place in the order of the answers for each block; taken away once there are no more.
    order: Option<SyncSender<Receiver<io::Result<Answered>>>>,
    /// Buffers whose answers are written.
    used: Receiver<Vec<u8>>,
}

/// A block on its way to be answered.
struct Job {
    block: Block,
    /// Where the answers go: empty, but with room.
    answers: Vec<u8>,
    reply: SyncSender<io::Result<Answered>>,
}

/// A block that is answered.
struct Answered {
    answers: Vec<u8>,
    counts: Counts,
    /// Bytes of input.
    len: u64,
}

/// Answers all of `blocks` by `threads` threads, and writes the answers in order.
///
/// The threads are not joined when the output fails: one may be waiting for a pipe that nobody writes to.
pub(super) fn run<R: Read + Send + 'static>(
    blocks: Blocks<R>,
    output: &mut Output,
    threads: usize,
    explains: bool,
    progress: &mut Progress,
) -> Result<Counts, Failure> {
    let shape = Arc::new(blocks.shape().clone());
    let (order, ordered) = sync_channel(threads * BLOCKS_A_THREAD);
    let (written, used) = mpsc::channel();
    let source = Arc::new(Mutex::new(Source {
        blocks,
        order: Some(order),
        used,
    }));
    let workers = (0..threads).map(|_| {
        let (shape, source) = (Arc::clone(&shape), Arc::clone(&source));
        thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || answer_all(&shape, explains, &source))
            .map_err(Failure::Start)
    });
    let workers = workers.collect::<Result<Vec<_>, _>>()?;
    // The workers have it: it goes with the last of them.
    drop(source);

    let mut totals = Counts::default();
    for reply in ordered {
        let answered = reply.recv().map_err(|_| Failure::Thread)?;
        let answered = answered.map_err(Failure::Read)?;
        output.write(&answered.answers).map_err(Failure::Write)?;
        totals.add(answered.counts);
        progress.advance(&totals, answered.len);
        // The workers may have ended already.
        let _ = written.send(answered.answers);
    }
    for worker in workers {
        worker.join().map_err(|_| Failure::Thread)?;
    }
    Ok(totals)
}

/// Answers blocks until there are no more, or nobody takes the answers.
///
/// A worker reads its blocks itself: the bytes are then in its core's cache.
fn answer_all<R: Read>(shape: &Shape, explains: bool, source: &Mutex<Source<R>>) {
    let mut buffer = Vec::new();
    loop {
        // Where another worker has panicked, no place of the order may be taken any more: a block may be missing.
        let Ok(mut locked) = source.lock() else {
            return;
        };
        let Some(mut job) = locked.next(buffer) else {
            return;
        };
        drop(locked);
        let counts = answer_block(shape, &job.block, explains, &mut job.answers);
        buffer = match job.block {
            Block::Records(text) => text.bytes,
            Block::Fault(_) => Vec::new(),
        };
        // The writer may have ended already.
        let _ = job.reply.send(Ok(Answered {
            answers: job.answers,
            counts,
            len: buffer.len() as u64,
        }));
    }
}

impl<R: Read> Source<R> {
    /// The next block, with its place in the order; `None` if there are no more, or nobody takes the answers.
    fn next(&mut self, buffer: Vec<u8>) -> Option<Job> {
        let order = self.order.as_ref()?;
        let (reply, replies) = sync_channel(1);
        let block = self.blocks.next(buffer);
        if !matches!(block, Ok(None)) {
            order.send(replies).ok()?;
        }
        match block {
            Ok(Some(block)) => {
                let mut answers = self.used.try_recv().unwrap_or_default();
                answers.clear();
                return Some(Job {
                    block,
                    answers,
                    reply,
                });
            }
            Ok(None) => {}
            Err(why) => drop(reply.send(Err(why))),
        }
        self.order = None;
        None
    }
}
