//! Reader, workers, writer.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
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

/// A block on its way to a worker.
struct Job {
    block: Block,
    /// Where the answers go: empty, but with room.
    answers: Vec<u8>,
    reply: SyncSender<Answered>,
}

/// A block that is answered.
struct Answered {
    answers: Vec<u8>,
    counts: Counts,
    /// The block's buffer, for the reader.
    buffer: Vec<u8>,
    /// Bytes of input.
    len: u64,
}

/// Buffers that were used, for the next block and its answers.
type Used = (Vec<u8>, Vec<u8>);

/// Answers all of `blocks` by `threads` threads, and writes the answers in order.
///
/// The threads are not joined when the output fails: the reader may be waiting for a pipe that nobody writes to.
pub(super) fn run<R: Read + Send + 'static>(
    blocks: Blocks<R>,
    output: &mut Output,
    threads: usize,
    progress: &mut Progress,
) -> Result<Counts, Failure> {
    let shape = Arc::new(blocks.shape().clone());
    let (jobs, work) = sync_channel(threads);
    let work = Arc::new(Mutex::new(work));
    for _ in 0..threads {
        let (shape, work) = (Arc::clone(&shape), Arc::clone(&work));
        start("worker", move || answer_all(&shape, &work))?;
    }
    let (order, ordered) = sync_channel(threads * BLOCKS_A_THREAD);
    let (used, free) = mpsc::channel();
    let reader = start("reader", move || read_all(blocks, &jobs, &order, &free))?;

    let mut totals = Counts::default();
    for reply in ordered {
        let reply: Receiver<Answered> = reply;
        let answered = reply.recv().map_err(|_| Failure::Thread)?;
        output.write(&answered.answers).map_err(Failure::Write)?;
        totals.add(answered.counts);
        progress.advance(&totals, answered.len);
        // The reader may have ended already.
        let _ = used.send((answered.buffer, answered.answers));
    }
    match reader.join() {
        Ok(read) => read.map_err(Failure::Read)?,
        Err(_) => return Err(Failure::Thread),
    }
    Ok(totals)
}

fn start<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<thread::JoinHandle<T>, Failure> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(Failure::Start)
}

/// Hands out blocks until there are no more, or nobody takes them.
fn read_all<R: Read>(
    mut blocks: Blocks<R>,
    jobs: &SyncSender<Job>,
    order: &SyncSender<Receiver<Answered>>,
    free: &Receiver<Used>,
) -> io::Result<()> {
    loop {
        let (buffer, mut answers) = free.try_recv().unwrap_or_default();
        let Some(block) = blocks.next(buffer)? else {
            return Ok(());
        };
        answers.clear();
        let (reply, replies) = sync_channel(1);
        let job = Job {
            block,
            answers,
            reply,
        };
        if order.send(replies).is_err() || jobs.send(job).is_err() {
            return Ok(());
        }
    }
}

/// Answers blocks until there are no more.
fn answer_all(shape: &Shape, work: &Mutex<Receiver<Job>>) {
    loop {
        let job = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut job) = job else {
            return;
        };
        let counts = answer_block(shape, &job.block, &mut job.answers);
        let buffer = match job.block {
            Block::Records(text) => text.bytes,
            Block::Fault(_) => Vec::new(),
        };
        // The writer may have ended already.
        let _ = job.reply.send(Answered {
            answers: job.answers,
            counts,
            len: buffer.len() as u64,
            buffer,
        });
    }
}
