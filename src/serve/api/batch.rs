//! Batches: bodies of records, answered while they arrive.
//!
//! The head of an answer waits until the body has ended, or until the answers cannot be held any more ([`Start`]): an
//! earlier answer would stop proxies and client libraries that send everything before they read, and some would lose
//! records. A complete answer has a length and the number of its records; one that begins earlier is chunked.
//!
//! After that, hyper asks [`Batch`] for the next piece of the answer when it has room for one, and only then more of
//! the body is read. [`wire`](crate::serve::http::wire) makes room while memory lasts, so that a client which does not
//! read yet can send; beyond that, a client that does not read its answers is not read from.
//!
//! Between two steps the worker serves its other connections. A wait for the client may last as long as the body's
//! deadline per record, and a write without progress as long as the write's; a batch that makes progress may take any
//! time.

mod patience;
mod piece;
mod start;
mod step;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue, TRAILER};
use hyper::{HeaderMap, StatusCode};

use self::patience::Patience;
use self::piece::Piece;
pub(crate) use self::start::Manner;
use self::start::Start;
use self::step::Answered;
use super::answers::Answers;
use super::bodies::arrived;
use super::broken::{Broken, OUR_FAULT, no_memory};
use super::ledger::{Ledger, Shed};
use super::media::Form;
use crate::recorder::Source;
use crate::records::{Block, Blocks, Format, Limits, Records, Text, Unreadable};
use crate::serve::http::phase::Phase;
use crate::serve::http::reply::{self, Cut, Reply, ReplyBody};
use crate::serve::settings::config::PIECE;

/// Number of records that are answered before other connections get their turn: some 100 µs. A block of fewer rows would
/// take as long.
const STEP: usize = 64;
/// Minimum number of bytes of answers that are passed to hyper together.
const ANSWERS: usize = 32 * 1024;

/// Bytes besides answers that a batch reserves while its answer is being sent: records of common length never need
/// more.
const WORKING_SET: u64 = 6 * PIECE as u64;

/// Number of answered records, errors included: a header of a complete answer, a trailer of others.
const RECORDS: &str = "x-records";

/// Request with a body of records, and its answers.
pub(crate) struct Batch {
    ledger: Ledger,
    body: Incoming,
    format: Format,
    blocks: Blocks<Piece>,
    max_record: usize,
    manner: Manner,
    /// True once it is clear that the body can be answered.
    begun: bool,
    head: Head,
    /// True if the service panicked over some of the records.
    flawed: bool,
    /// Text that is being answered.
    text: Option<Text>,
    answers: Answers,
    /// Answers that wait to be passed to hyper, with their total length.
    gathered: VecDeque<Vec<u8>>,
    gathered_len: u64,
    stage: Stage,
    patience: Patience,
    /// Turn of the other connections.
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// Head of the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Head {
    /// Not sent yet.
    Held,
    /// Sent before everything was answered.
    Early,
    /// Sent after everything was answered, with the answer's length.
    Whole,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Flowing,
    /// The final message waits to be passed on. When it has been sent, the connection is cut, so that nobody takes the
    /// answers for all of them.
    Cutting,
    /// All records are answered; answers may wait to be passed on.
    Answered,
    Ended,
}

/// Answers in the form that hyper takes.
impl Body for Batch {
    type Data = reply::Piece;
    type Error = Cut;

    /// Returns the next piece of the answer.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<reply::Piece>, Cut>>> {
        self.ledger.desk.app.faults.at("batch");
        loop {
            if let Some(piece) = self.gathered.pop_front() {
                self.gathered_len -= piece.len() as u64;
                self.ledger.sent += piece.len() as u64;
                if self.head == Head::Whole && self.gathered.is_empty() {
                    // hyper might not look at a pipelined request that it has read already.
                    cx.waker().wake_by_ref();
                    self.end(None);
                }
                return Poll::Ready(Some(Ok(Frame::data(reply::Piece::new(piece)))));
            }
            match self.stage {
                Stage::Flowing => {
                    let mut stepped = ready!(self.poll_step(cx));
                    if stepped.is_ok() && !self.hold(WORKING_SET) {
                        stepped = Err(Broken::NoMemory);
                    }
                    if let Err(broken) = stepped {
                        self.answers.error(&broken.message());
                        self.stage = Stage::Cutting;
                        // The final message must be sent before the cut.
                        self.pause = Some(Box::pin(tokio::task::yield_now()));
                        self.end(Some(broken));
                    }
                    self.gather();
                }
                Stage::Cutting => {
                    ready!(self.poll_pause(cx));
                    self.stage = Stage::Ended;
                    self.ledger.desk.state.reads_on.store(false, Relaxed);
                    return Poll::Ready(Some(Err(Cut)));
                }
                Stage::Answered => {
                    cx.waker().wake_by_ref();
                    self.end(None);
                    let mut trailers = HeaderMap::new();
                    trailers.insert(RECORDS, HeaderValue::from(self.answers.records()));
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Stage::Ended => return Poll::Ready(None),
            }
        }
    }

    /// Returns true if nothing of the answer is left to be passed on.
    fn is_end_stream(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Length of the rest of the answer, if known.
    fn size_hint(&self) -> SizeHint {
        match self.head {
            Head::Whole => SizeHint::with_exact(self.gathered_len),
            Head::Held | Head::Early => SizeHint::default(),
        }
    }
}

impl Batch {
    pub(crate) fn new(
        ledger: Ledger,
        body: Incoming,
        format: Format,
        form: Form,
        manner: Manner,
    ) -> Batch {
        let max_record = ledger.desk.app.config.max_line;
        let explains = ledger.explains;
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
            manner,
            begun: false,
            head: Head::Held,
            flawed: false,
            text: None,
            answers: Answers::new(form, explains),
            gathered: VecDeque::new(),
            gathered_len: 0,
            stage: Stage::Flowing,
            patience: Patience::default(),
            pause: None,
        }
    }

    /// Reads and answers until the head of the answer can be sent. `Err` has the refusal.
    pub(crate) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Reply>> {
        if !self.begun {
            ready!(self.poll_begin(cx))?;
            self.begun = true;
        }
        while self.stage == Stage::Flowing {
            let stepped = match ready!(self.poll_step(cx)) {
                Ok(()) => self.is_enough(),
                Err(broken) => Err(broken.reply()),
            };
            match stepped {
                Ok(true) => break,
                Ok(false) => {}
                Err(reply) => {
                    self.ledger.desk.state.unread_body.store(true, Relaxed);
                    return Poll::Ready(Err(reply));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads until it is clear that the body can be answered: its first byte, or a CSV's header. `Err` has the refusal.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Reply>> {
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

    /// Returns true if the head of the answer cannot wait for the body's end any longer. `Err` has the refusal, if the
    /// head cannot be sent either.
    #[expect(
        clippy::result_large_err,
        reason = "a refusal is moved once, and boxing it would cost an allocation"
    )]
    fn is_enough(&mut self) -> Result<bool, Reply> {
        let most = self.ledger.desk.app.config.max_answers();
        let enough = match self.manner.start {
            Start::Early => start::EARLY.min(most),
            Start::Late | Start::Never => most,
        };
        let starts = self.stage == Stage::Flowing && self.gathered_len >= enough;
        if starts && self.manner.start == Start::Never {
            return Err(start::refusal(most));
        }
        let reserve = if starts { WORKING_SET } else { 0 };
        match self.hold(reserve) {
            true => Ok(starts),
            // They are there already, and no more will follow.
            false if self.stage == Stage::Answered => Ok(true),
            false => {
                self.ledger.desk.shard.shed(Shed::BodyMemory);
                Err(no_memory())
            }
        }
    }

    /// Refuses the batch after all.
    pub(crate) fn refuse(self, reply: Reply) -> Reply {
        self.ledger.close_with(reply)
    }

    /// Returns the head of the answer, with the answers as its body: all of them, or the present and future ones.
    pub(crate) fn answer(mut self: Box<Self>) -> Reply {
        let is_whole = self.stage == Stage::Answered;
        self.head = if is_whole { Head::Whole } else { Head::Early };
        let state = &self.ledger.desk.state;
        state.streaming.store(true, Relaxed);
        state.reads_on.store(!is_whole, Relaxed);
        let mut reply = reply::empty(StatusCode::OK);
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, self.answers.form().content_type());
        if is_whole {
            headers.insert(RECORDS, HeaderValue::from(self.answers.records()));
        } else if self.manner.trailers {
            headers.insert(TRAILER, HeaderValue::from_static(RECORDS));
        }
        self.ledger.name_model(&mut reply);
        self.ledger.address(&mut reply);
        if is_whole && self.gathered.is_empty() {
            self.end(None);
        }
        *reply.body_mut() = ReplyBody::Streamed(Pin::from(self));
        reply
    }

    /// Answers some records, or takes the next piece of the body. Gathers the answers, unless the batch is broken.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        ready!(self.poll_pause(cx));
        match self.text.take() {
            Some(text) => self.step(text)?,
            None => match self.blocks.next(Vec::new()) {
                Ok(Some(Block::Records(text))) => self.step(text)?,
                Ok(Some(Block::Fault(fault))) => self.answers.error(&fault),
                Ok(None) => {
                    self.answers.end();
                    self.stage = Stage::Answered;
                }
                Err(_) => {
                    ready!(self.poll_piece(cx))?;
                    return Poll::Ready(Ok(()));
                }
            },
        }
        self.patience.renew(self.ledger.received);
        // A client that sends may read later.
        self.ledger.desk.state.write_moves(Instant::now());
        if self.stage == Stage::Flowing {
            self.pause = Some(Box::pin(tokio::task::yield_now()));
        }
        self.gather();
        Poll::Ready(Ok(()))
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// Takes the answers, if they make a piece or nothing will be added to them.
    fn gather(&mut self) {
        let waits = self.head == Head::Held && self.stage == Stage::Flowing;
        if !waits || self.answers.len() >= ANSWERS {
            let mut answers = self.answers.take();
            if !answers.is_empty() {
                if self.head == Head::Held {
                    // Spare capacity is not counted.
                    answers.shrink_to_fit();
                }
                self.gathered_len += answers.len() as u64;
                self.gathered.push_back(answers);
            }
        }
    }

    /// Counts the memory that the batch holds, with at least `reserve` bytes besides the answers. Returns true if there
    /// is room for it.
    fn hold(&mut self, reserve: u64) -> bool {
        let text = self.text.as_ref().map_or(0, |text| text.bytes.capacity());
        let besides = self.blocks.memory() + text + self.blocks.source().bytes.len();
        let answers = self.gathered_len + self.answers.len() as u64;
        let most = self.ledger.desk.app.config.max_batch_memory();
        self.ledger
            .hold_now((besides as u64).max(reserve) + answers, most)
    }

    /// Waits for the next piece of the body, and passes it to `blocks`.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let desk = &*self.ledger.desk;
        let state = &desk.state;
        let now = Instant::now();
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let frame = match arrived(polled, desk) {
            Poll::Ready(Err(Broken::TooLate)) => return Poll::Ready(Err(Broken::TooLate)),
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                if let Some(since) = self.patience.begin(now) {
                    state.enter(Phase::Body, since);
                }
                return Poll::Pending;
            }
        };
        self.patience.end(now);
        state.enter(Phase::Working, now);
        match frame? {
            None => {
                self.blocks.source().ended = true;
                state.reads_on.store(false, Relaxed);
            }
            Some(frame) => {
                // Trailers are ignored.
                if let Ok(bytes) = frame.into_data() {
                    self.ledger.received += bytes.len() as u64;
                    self.patience.receive(self.ledger.received);
                    self.blocks.source().bytes = bytes;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Answers up to [`STEP`] records of `text`, and keeps the rest.
    fn step(&mut self, mut text: Text) -> Result<(), Broken> {
        let mut records = Records::of(self.blocks.shape(), &text, self.max_record);
        let explains = self.ledger.explains;
        // An explanation may take as long as many answers.
        let step = if explains && !self.ledger.picker.explains_fast() {
            1
        } else {
            STEP
        };
        let (read, broken) = step::read(&mut records, step, &self.ledger);
        let rest = records.rest().len();
        let mut rows = 0;
        for (record, answered) in step::answer(&read, &self.ledger) {
            match answered {
                Answered::Request(answer, explanation) => {
                    rows += 1;
                    if let Some(object) = &record.object {
                        let row = self.answers.records();
                        self.ledger.record(Source::Object, row, object, &[answer]);
                    }
                    self.answers.answer(&answer, explanation.as_ref());
                }
                Answered::Fault(fault) => self.answers.error(fault),
                Answered::Panic => {
                    self.flawed = true;
                    let line = text.line + line_feeds(&text.bytes[..record.at]);
                    self.answers
                        .error(&format_args!("line {line}: {OUR_FAULT}"));
                }
            }
        }
        self.ledger.rows += rows;
        self.ledger.desk.shard.rows.add(rows);
        if explains {
            self.ledger.desk.shard.explained.add(rows);
        }
        if let Some(broken) = broken {
            self.flawed = true;
            return Err(broken);
        }
        if rest > 0 {
            let done = text.bytes.len() - rest;
            text.line += line_feeds(&text.bytes[..done]);
            text.bytes.drain(..done);
            self.text = Some(text);
        }
        Ok(())
    }

    /// Ends the batch: nothing more will be answered.
    fn end(&mut self, broken: Option<Broken>) {
        self.ledger.desk.state.streaming.store(false, Relaxed);
        if broken.is_none() {
            self.stage = Stage::Ended;
        }
        match broken {
            None if self.flawed => self.ledger.close_flawed(OUR_FAULT),
            None => self.ledger.close(StatusCode::OK.as_u16(), None),
            Some(broken) => self.ledger.cut(broken),
        }
    }
}

/// Number of line feeds.
fn line_feeds(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
