//! Batches: bodies of records, answered while they come.
//!
//! hyper asks [`Batch`] for the next piece of the answer when it has room for one, and only then is more of the body
//! read: a client that does not take its answers is not read from. What is held of a batch is a record that is not whole
//! yet, one piece of the body and the answers to [`STEP`] records, whatever the batch's length.
//!
//! Between two steps the worker sees to its other connections. A wait for the client's next piece may last as long as
//! the body's deadline, a write that does not move as long as the write's; a batch that goes on may take any time.

use std::io::{self, Read};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use hyper::StatusCode;
use hyper::body::{Body as _, Bytes, Frame, Incoming};
use hyper::header::CONTENT_TYPE;

use super::answers::Answers;
use super::head::Refusal;
use super::ledger::{Desk, Ledger};
use super::media::Form;
use super::metrics::Label;
use super::phase::Phase;
use super::reply::{self, Reply, ReplyBody};
use crate::pick_regno::pick_regno_watched;
use crate::records::{Block, Blocks, Format, Limits, Records, Shape, Text, Unreadable};

/// Records that are answered before other connections get their turn: some 200 µs.
const STEP: usize = 32;
/// Bytes of a body that are looked at together.
const PIECE: usize = 16 * 1024;

/// One request with a body of records, and its answers.
pub(super) struct Batch {
    ledger: Ledger,
    body: Incoming,
    format: Format,
    blocks: Blocks<Piece>,
    max_record: usize,
    /// Whether the service panicked over some of its records.
    flawed: bool,
    /// What is being answered.
    text: Option<Text>,
    answers: Answers,
    stage: Stage,
    /// The other connections' turn.
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

enum Stage {
    Flowing,
    /// The last that is said has been handed over; when it is on its way, the connection is cut, so that nobody takes
    /// what was answered for all of it.
    Cutting,
    Ended,
}

/// Why a batch ends before it is answered.
#[derive(Clone, Copy)]
pub(super) enum Broken {
    /// The next piece of the body did not come in time.
    TooLate,
    /// The body's framing is malformed.
    Framing(Refusal),
    /// The client ended the body before its end.
    Incomplete,
    /// A panic left nothing that could be gone on with.
    OurFault,
}

/// The value of the `reason` label that counts it.
impl Label for Broken {
    fn label(self) -> &'static str {
        match self {
            Broken::TooLate => "timeout",
            Broken::Framing(_) => "framing",
            Broken::Incomplete => "incomplete",
            Broken::OurFault => "fault",
        }
    }
}

impl Broken {
    /// One of each.
    pub(super) const ALL: [Broken; 4] = [
        Broken::TooLate,
        Broken::Framing(Refusal::Chunk),
        Broken::Incomplete,
        Broken::OurFault,
    ];

    /// The last line of the answer, which repeats nothing of the body.
    pub(super) fn message(self) -> &'static str {
        match self {
            Broken::TooLate => "Request timeout: the body did not arrive in time",
            Broken::Framing(refusal) => refusal.message(),
            Broken::Incomplete => "Bad request: the body ended before its length",
            Broken::OurFault => OUR_FAULT,
        }
    }

    /// What answers it when nothing has been answered yet.
    fn reply(self) -> Reply {
        let status = match self {
            Broken::TooLate => StatusCode::REQUEST_TIMEOUT,
            Broken::Framing(_) | Broken::Incomplete => StatusCode::BAD_REQUEST,
            Broken::OurFault => StatusCode::INTERNAL_SERVER_ERROR,
        };
        reply::fail(status, self.message())
    }
}

/// The batch was cut short; hyper closes the connection without the answer's proper end.
#[derive(Debug)]
pub(super) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the batch was cut short")
    }
}

impl std::error::Error for Cut {}

/// The piece of the body that is read.
#[derive(Default)]
struct Piece {
    bytes: Bytes,
    ended: bool,
}

impl Read for Piece {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() && !self.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = self.bytes.len().min(buffer.len()).min(PIECE);
        buffer[..len].copy_from_slice(&self.bytes.split_to(len));
        Ok(len)
    }
}

impl Batch {
    /// Bytes that a batch may hold, whatever its length: the text that is read and the text that is answered, which may
    /// each have grown to two records at their longest; and a piece of the body, and answers.
    pub(super) const fn memory(max_line: usize) -> u64 {
        (4 * max_line + 4 * PIECE) as u64
    }

    pub(super) fn new(ledger: Ledger, body: Incoming, format: Format, form: Form) -> Batch {
        let max_record = ledger.desk.app.config.max_line;
        let limits = Limits {
            record: max_record,
            block: PIECE,
        };
        Batch {
            ledger,
            body,
            format,
            blocks: Blocks::new(Piece::default(), limits),
            max_record,
            flawed: false,
            text: None,
            answers: Answers::new(form),
            stage: Stage::Flowing,
            pause: None,
        }
    }

    /// Reads until it is clear that the body can be answered: its first byte, or a CSV's header. `Err` has the refusal.
    pub(super) fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Reply>> {
        loop {
            let begun = match self.blocks.begin(Some(self.format)) {
                Ok(()) if self.format != self.blocks.shape().format() => {
                    Err("the body is empty: the first line names the columns".to_owned())
                }
                Ok(()) => Ok(()),
                Err(Unreadable::Io(_)) => match ready!(self.poll_piece(cx)) {
                    Ok(()) => continue,
                    Err(broken) => return Poll::Ready(Err(broken.reply())),
                },
                Err(unreadable) => Err(unreadable.to_string()),
            };
            return Poll::Ready(begun.map_err(|why| {
                self.ledger.desk.state.unread_body.store(true, Relaxed);
                reply::fail(StatusCode::BAD_REQUEST, &format!("Bad request: {why}"))
            }));
        }
    }

    /// Refuses it after all.
    pub(super) fn refuse(self, reply: Reply) -> Reply {
        self.ledger.close_with(reply)
    }

    /// The head of its answer, with the answers to come as its body.
    pub(super) fn answer(self: Box<Self>) -> Reply {
        self.ledger.desk.state.streaming.store(true, Relaxed);
        let mut reply = Reply::new(ReplyBody::Batch(None));
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, self.answers.form().content_type());
        self.ledger.address(&mut reply);
        *reply.body_mut() = ReplyBody::Batch(Some(self));
        reply
    }

    /// The next piece of the answer.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<reply::Piece>, Cut>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match self.stage {
                Stage::Flowing => {}
                Stage::Cutting => {
                    self.stage = Stage::Ended;
                    return Poll::Ready(Some(Err(Cut)));
                }
                Stage::Ended => return Poll::Ready(None),
            }
            let mut stage = Stage::Flowing;
            let step = match self.text.take() {
                Some(text) => self.step(text),
                None => match self.blocks.next(Vec::new()) {
                    Ok(Some(Block::Records(text))) => self.step(text),
                    Ok(Some(Block::Fault(fault))) => {
                        self.answers.error(&fault);
                        Ok(())
                    }
                    Ok(None) => {
                        self.answers.end();
                        stage = Stage::Ended;
                        Ok(())
                    }
                    Err(_) => match ready!(self.poll_piece(cx)) {
                        Ok(()) => continue,
                        broken => broken,
                    },
                },
            };
            if let Err(broken) = step {
                self.answers.error(&broken.message());
                stage = Stage::Cutting;
            }
            // The end of a batch needs no pause; what is said before a cut needs one, to be on its way.
            if !matches!(stage, Stage::Ended) {
                self.pause = Some(Box::pin(tokio::task::yield_now()));
            }
            let answers = self.answers.take();
            self.ledger.sent += answers.len() as u64;
            if !matches!(stage, Stage::Flowing) {
                self.end(step.err());
                self.stage = stage;
            }
            if !answers.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(reply::Piece::new(answers)))));
            }
        }
    }

    /// Waits for the next piece of the body, and hands it to `blocks`.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let Desk { shard, state, .. } = &*self.ledger.desk;
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                if state.overdue() == Some(Phase::Body) {
                    shard.timed_out(Phase::Body);
                    state.unread_body.store(true, Relaxed);
                    return Poll::Ready(Err(Broken::TooLate));
                }
                if state.phase() != Phase::Body {
                    state.enter(Phase::Body, Instant::now());
                }
                return Poll::Pending;
            }
        };
        state.enter(Phase::Working, Instant::now());
        match frame {
            None => self.blocks.source().ended = true,
            Some(Ok(frame)) => {
                // Trailers say nothing that is asked for.
                if let Ok(bytes) = frame.into_data() {
                    self.ledger.received += bytes.len() as u64;
                    self.blocks.source().bytes = bytes;
                }
            }
            Some(Err(_)) => {
                state.unread_body.store(true, Relaxed);
                let broken = match state.refusal() {
                    Some(refusal) => {
                        shard.refused(refusal);
                        Broken::Framing(refusal)
                    }
                    None => Broken::Incomplete,
                };
                return Poll::Ready(Err(broken));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Answers up to [`STEP`] records of `text`, and keeps the rest.
    fn step(&mut self, mut text: Text) -> Result<(), Broken> {
        let shape: &Shape = self.blocks.shape();
        let mut records = Records::of(shape, &text, self.max_record);
        let mut rows = 0;
        let mut broken = None;
        for _ in 0..STEP {
            let before = records.rest();
            let Desk {
                app,
                shard,
                observations,
                ..
            } = &*self.ledger.desk;
            // A panic is one record's: those before and after it are answered.
            let answered = std::panic::catch_unwind(AssertUnwindSafe(|| {
                app.faults.reading(before);
                let record = records.next()?;
                app.faults
                    .answering(&before[..before.len() - records.rest().len()]);
                Some(record.map(|request| pick_regno_watched(&request, &mut observations.watch())))
            }));
            match answered {
                Ok(None) => break,
                Ok(Some(Ok(answer))) => {
                    rows += 1;
                    self.answers.answer(&answer);
                }
                Ok(Some(Err(fault))) => self.answers.error(&fault),
                Err(_) => {
                    // `panics` has told it.
                    shard.panics.inc();
                    self.flawed = true;
                    if records.rest().len() == before.len() {
                        broken = Some(Broken::OurFault);
                        break;
                    }
                    let line = records.line();
                    self.answers
                        .error(&format_args!("line {line}: {OUR_FAULT}"));
                }
            }
        }
        let rest = records.rest().len();
        self.ledger.rows += rows;
        self.ledger.desk.shard.rows.add(rows);
        if let Some(broken) = broken {
            return Err(broken);
        }
        if rest > 0 {
            let done = text.bytes.len() - rest;
            text.line += memchr::memchr_iter(b'\n', &text.bytes[..done]).count() as u64;
            text.bytes.drain(..done);
            self.text = Some(text);
        }
        Ok(())
    }

    /// All that will be said has been said.
    fn end(&mut self, broken: Option<Broken>) {
        self.ledger.desk.state.streaming.store(false, Relaxed);
        match broken {
            None if self.flawed => self.ledger.close_flawed(OUR_FAULT),
            None => self.ledger.close(StatusCode::OK.as_u16(), None),
            Some(broken) => self.ledger.cut(broken),
        }
    }
}

const OUR_FAULT: &str = "Internal server error: the fault is the service's, and has been noted";
