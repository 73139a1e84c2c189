//! Pipeline of workers and writer.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use super::output::Output;
use super::progress::Progress;
use super::worker::{Counts, answer_block};
use crate::pick_regno;
use crate::picker::Picker;
use crate::records::{Block, Blocks, Shape};

/// Number of blocks per thread that may wait to be written: enough that a slow block delays nobody.
const BLOCKS_A_THREAD: usize = 2;

/// Reason why a run ended early.
#[derive(Debug)]
pub(super) enum Failure {
    /// Reading the input failed.
    Read(io::Error),
    /// Writing the output failed.
    Write(io::Error),
    /// A thread could not be started.
    Start(io::Error),
    /// A thread panicked.
    Thread,
}

/// Source of blocks for the workers, which also fixes the order of the answers.
struct Source<R> {
    blocks: Blocks<R>,
    /// Queue with one entry per block, in the order of the answers; removed at the end of the input.
    order: Option<SyncSender<Receiver<io::Result<Answered>>>>,
    /// Buffers whose answers were written, for reuse.
    used: Receiver<Vec<u8>>,
}

/// Block to be answered.
struct Job {
    block: Block,
    /// Buffer for the answers: empty, but with capacity.
    answers: Vec<u8>,
    reply: SyncSender<io::Result<Answered>>,
}

/// Answered block.
struct Answered {
    answers: Vec<u8>,
    counts: Counts,
    /// Bytes of input.
    len: u64,
}

/// Answers all of `blocks` with `threads` threads, and writes the answers in order.
///
/// The threads are not joined when the output fails: one may be waiting for a pipe that nobody writes to.
pub(super) fn run<R: Read + Send + 'static>(
    blocks: Blocks<R>,
    output: &mut Output,
    threads: usize,
    (picker, explains): (&Picker, bool),
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
        let picker = picker.clone();
        thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || answer_all(&shape, &picker, explains, &source))
            .map_err(Failure::Start)
    });
    let workers = workers.collect::<Result<Vec<_>, _>>()?;
    // The workers hold clones: the source is dropped with the last worker.
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
/// Each worker reads its own blocks, so that the bytes are in its core's cache.
fn answer_all<R: Read>(shape: &Shape, picker: &Picker, explains: bool, source: &Mutex<Source<R>>) {
    let (mut buffer, mut memory) = (Vec::new(), pick_regno::Blocks::default());
    loop {
        // After a panic of another worker, the order must not continue: a block may be missing.
        let Ok(mut locked) = source.lock() else {
            return;
        };
        let Some(mut job) = locked.next(buffer) else {
            return;
        };
        drop(locked);
        let (block, answers) = (&job.block, &mut job.answers);
        let counts = answer_block(shape, picker, block, explains, &mut memory, answers);
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
    /// Returns the next block, with its entry in the order; `None` if there are no more, or nobody takes the answers.
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
