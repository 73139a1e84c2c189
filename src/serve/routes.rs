//! Requests to answers: which route, what has arrived of the body, and what the model says of it.

use std::convert::Infallible;
use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use hyper::StatusCode;
use hyper::body::{Body as _, Bytes, Frame, Incoming};

use super::admit::{Admission, Admitted, no_memory, too_large};
use super::batch::{Batch, Manner};
use super::discard::Discarding;
use super::fields::Fields;
use super::guesses::Delayed;
use super::head::Refusal;
use super::ledger::{Desk, Ledger};
use super::phase::Phase;
use super::reply::{self, Reply};
use super::route::Route;
use super::wire::is_stand_in;
use crate::answer::{write_explained, write_many, write_one};
use crate::explanation::{is_fast, pick_regno_explained};
use crate::pick_regno::pick_regno_watched;
use crate::recorder::Source;
use crate::request::{Body, Request, parse_body};

/// Answers the requests of one connection.
pub(super) struct Routes(pub(super) Arc<Desk>);

impl hyper::service::Service<hyper::Request<Incoming>> for Routes {
    type Response = Reply;
    type Error = Infallible;
    type Future = Exchange;

    fn call(&self, request: hyper::Request<Incoming>) -> Exchange {
        self.0.app.faults.at("head");
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let refusal = self.0.state.refusal().filter(|_| is_stand_in(path));
        let fields = Fields::of(&head.headers);
        let mut ledger = Ledger::open(
            Arc::clone(&self.0),
            Route::of(path),
            head.method.clone(),
            &fields,
        );
        let admitted = match refusal {
            None => Admission::new(&mut ledger, &head, &fields, &body).decide(),
            Some(refusal) => Err(refuse(&ledger, refusal)),
        };
        match admitted {
            Ok(Admitted::Batch(format, form)) => {
                ledger.route = Route::Batch;
                self.0.state.enter(Phase::Body, ledger.started);
                let manner = Manner::of(&head, &body);
                Exchange::Opening(Box::new(Batch::new(ledger, body, format, form, manner)))
            }
            Ok(Admitted::Whole) => {
                self.0.state.enter(Phase::Body, ledger.started);
                let length = body.size_hint().exact();
                Exchange::Reading(Reading {
                    ledger,
                    body,
                    gathered: Gathered::Nothing,
                    length,
                })
            }
            Err(reply) => {
                Exchange::Discarding(Box::new(Discarding::new(ledger, reply, body, &fields)))
            }
        }
    }
}

/// The answer to a request that never reached hyper.
fn refuse(ledger: &Ledger, refusal: Refusal) -> Reply {
    let Desk { shard, state, .. } = &*ledger.desk;
    state.unread_body.store(true, Relaxed);
    shard.refused(refusal);
    if refusal == Refusal::HeadTimeout {
        shard.timed_out(Phase::Head);
    }
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    reply::fail(status, refusal.message())
}

/// One request and its answer.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all exchanges are read, and boxing them would cost an allocation"
)]
pub(super) enum Exchange {
    Discarding(Box<Discarding>),
    Reading(Reading),
    Opening(Box<Batch>),
    Delayed(Box<Delayed>),
    Done,
}

impl Future for Exchange {
    type Output = Result<Reply, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match std::mem::replace(&mut *self, Exchange::Done) {
            Exchange::Discarding(mut discarding) => match discarding.poll(cx) {
                Poll::Ready(()) => {
                    let guessed = discarding.guessed();
                    let reply = discarding.answer();
                    match guessed {
                        None => Poll::Ready(Ok(reply)),
                        Some(desk) => {
                            *self = Exchange::Delayed(Box::new(Delayed::new(reply, desk)));
                            self.poll(cx)
                        }
                    }
                }
                Poll::Pending => {
                    *self = Exchange::Discarding(discarding);
                    Poll::Pending
                }
            },
            Exchange::Reading(mut reading) => match reading.poll(cx) {
                Poll::Ready(reply) => Poll::Ready(Ok(reading.ledger.close_with(reply))),
                Poll::Pending => {
                    *self = Exchange::Reading(reading);
                    Poll::Pending
                }
            },
            Exchange::Opening(mut batch) => match batch.poll_open(cx) {
                Poll::Ready(Ok(())) => Poll::Ready(Ok(batch.answer())),
                Poll::Ready(Err(reply)) => Poll::Ready(Ok(batch.refuse(reply))),
                Poll::Pending => {
                    *self = Exchange::Opening(batch);
                    Poll::Pending
                }
            },
            Exchange::Delayed(mut delayed) => match delayed.poll(cx) {
                Poll::Ready(reply) => Poll::Ready(Ok(reply)),
                Poll::Pending => {
                    *self = Exchange::Delayed(delayed);
                    Poll::Pending
                }
            },
            Exchange::Done => Poll::Pending,
        }
    }
}

/// A request whose body is gathered, to be answered as a whole.
pub(super) struct Reading {
    ledger: Ledger,
    body: Incoming,
    gathered: Gathered,
    length: Option<u64>,
}

/// What has arrived of a body. Most arrive in one piece, which is then used where it lies.
enum Gathered {
    Nothing,
    Piece(Bytes),
    Pieces(Vec<u8>),
}

impl Gathered {
    fn bytes(&self) -> &[u8] {
        match self {
            Gathered::Nothing => &[],
            Gathered::Piece(piece) => piece,
            Gathered::Pieces(pieces) => pieces,
        }
    }

    /// Adds a piece of a body whose `length` may be known.
    fn push(&mut self, piece: Bytes, length: Option<u64>) {
        *self = match std::mem::replace(self, Gathered::Nothing) {
            Gathered::Nothing => Gathered::Piece(piece),
            Gathered::Piece(first) => {
                let both = first.len() + piece.len();
                let mut pieces =
                    Vec::with_capacity(length.map_or(both, |length| both.max(length as usize)));
                pieces.extend_from_slice(&first);
                pieces.extend_from_slice(&piece);
                Gathered::Pieces(pieces)
            }
            Gathered::Pieces(mut pieces) => {
                pieces.extend_from_slice(&piece);
                Gathered::Pieces(pieces)
            }
        }
    }
}

impl Reading {
    /// Reads the body to its end, and answers it.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reply> {
        loop {
            let Desk {
                app, shard, state, ..
            } = &*self.ledger.desk;
            let (polled, wakes) = state.hold_wakes(|| Pin::new(&mut self.body).poll_frame(cx));
            // hyper wakes whoever takes a piece, to bring the next. After the last there is none, and a connection that is
            // polled once more for each request costs a thirtieth of its instructions.
            if wakes && !self.ends_with(&polled) {
                cx.waker().wake_by_ref();
            }
            let frame = match polled {
                Poll::Ready(frame) => frame,
                Poll::Pending if state.overdue() == Some(Phase::Body) => {
                    shard.timed_out(Phase::Body);
                    state.unread_body.store(true, Relaxed);
                    return Poll::Ready(reply::fail(
                        StatusCode::REQUEST_TIMEOUT,
                        "Request timeout: the body did not arrive in time",
                    ));
                }
                Poll::Pending => return Poll::Pending,
            };
            match frame {
                None => break,
                Some(Ok(frame)) => {
                    let Ok(piece) = frame.into_data() else {
                        continue; // Trailers say nothing that is asked for.
                    };
                    self.ledger.received += piece.len() as u64;
                    if self.ledger.received > app.config.max_body {
                        state.unread_body.store(true, Relaxed);
                        return Poll::Ready(too_large(app));
                    }
                    // One with a length was counted at once; others are as they grow, by doubling.
                    if self.length.is_none()
                        && !self.ledger.hold(self.ledger.received.next_power_of_two())
                    {
                        self.ledger.desk.state.unread_body.store(true, Relaxed);
                        return Poll::Ready(no_memory());
                    }
                    self.gathered.push(piece, self.length);
                    if self.length == Some(self.ledger.received) {
                        break;
                    }
                }
                Some(Err(_)) => {
                    let message = match state.refusal() {
                        Some(refusal) => {
                            shard.refused(refusal);
                            refusal.message()
                        }
                        None => "Bad request: the body ended before its length",
                    };
                    state.unread_body.store(true, Relaxed);
                    return Poll::Ready(reply::fail(StatusCode::BAD_REQUEST, message));
                }
            }
        }
        let gathered = std::mem::replace(&mut self.gathered, Gathered::Nothing);
        Poll::Ready(self.answer(gathered.bytes()))
    }

    /// Whether nothing of the body follows.
    fn ends_with<E>(&self, polled: &Poll<Option<Result<Frame<Bytes>, E>>>) -> bool {
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                let piece = frame.data_ref().map_or(0, |piece| piece.len() as u64);
                self.length == Some(self.ledger.received + piece)
            }
            _ => false,
        }
    }

    /// What the model says; a panic on the way is contained here.
    fn answer(&mut self, body: &[u8]) -> Reply {
        let desk = &*self.ledger.desk;
        let answered = std::panic::catch_unwind(AssertUnwindSafe(|| {
            desk.app.faults.answering(body);
            if self.ledger.explains {
                explain(body, &self.ledger)
            } else {
                answer(body, &self.ledger)
            }
        }));
        match answered {
            Ok((reply, rows)) => {
                self.ledger.rows = rows;
                reply
            }
            // `panics` has told it.
            Err(_) => reply::fail(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Internal server error: the fault is the service's, and has been noted",
            ),
        }
    }
}

/// Reads a JSON body and asks the model: the answer, and how many rows were answered.
fn answer(body: &[u8], ledger: &Ledger) -> (Reply, u64) {
    let desk = &ledger.desk;
    let pick_regno =
        |request: &Request<'_>| pick_regno_watched(request, &mut desk.observations.watch());
    let mut out = Vec::new();
    let rows = match parse_body(body) {
        Ok(Body::One(request)) => {
            let answer = pick_regno(&request);
            out.reserve_exact(128);
            write_one(&answer, &mut out);
            ledger.record(Source::Body, 0, body, &[answer]);
            1
        }
        Ok(Body::Many(requests)) => {
            let answers: Vec<_> = requests.iter().map(pick_regno).collect();
            write_many(&answers, &mut out);
            ledger.record(Source::Body, 0, body, &answers);
            answers.len() as u64
        }
        Err(invalid) => {
            let message = format!("Bad request: {invalid}");
            return (reply::fail(StatusCode::BAD_REQUEST, &message), 0);
        }
    };
    desk.shard.rows.add(rows);
    (reply::json(StatusCode::OK, out), rows)
}

/// Explanations of one array, at most: each takes its worker as long as many answers do where the program has no tables for them.
const MAX_EXPLAINED: usize = 50;

/// Like [`answer`], with what each field adds.
#[cold]
fn explain(body: &[u8], ledger: &Ledger) -> (Reply, u64) {
    let desk = &ledger.desk;
    let bad = |why: &dyn Display| {
        let message = format!("Bad request: {why}");
        (reply::fail(StatusCode::BAD_REQUEST, &message), 0)
    };
    let (requests, is_many) = match parse_body(body) {
        Ok(Body::One(request)) => (vec![request], false),
        Ok(Body::Many(requests)) => (requests, true),
        Err(invalid) => return bad(&invalid),
    };
    if requests.len() > MAX_EXPLAINED && !is_fast() {
        return bad(&format_args!(
            "{} objects to explain; at most {MAX_EXPLAINED} are explained in one array: send more as NDJSON, one object a line",
            requests.len()
        ));
    }
    let mut out = b"{\"body\":".to_vec();
    if is_many {
        out.push(b'[');
    }
    let mut answers = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let (answer, explanation) = pick_regno_explained(request, &mut desk.observations.watch());
        write_explained(&answer, &explanation, &mut out);
        answers.push(answer);
    }
    ledger.record(Source::Body, 0, body, &answers);
    if is_many {
        out.push(b']');
    }
    out.extend_from_slice(b",\"status\":\"ok\"}\n");
    let rows = requests.len() as u64;
    desk.shard.rows.add(rows);
    desk.shard.explained.add(rows);
    (reply::json(StatusCode::OK, out), rows)
}
