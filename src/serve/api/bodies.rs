//! Bodies: received parts, and bodies that are gathered and answered as a whole.

use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use hyper::StatusCode;
use hyper::body::{Body as _, Bytes, Frame, Incoming};

use super::broken::{Broken, no_memory};
use super::ledger::{Desk, Ledger};
use crate::answer::{write_explained, write_many, write_one};
use crate::explanation::{is_fast, pick_regno_explained};
use crate::pick_regno::pick_regno_watched;
use crate::recorder::Source;
use crate::request::{Body, Request, parse_body};
use crate::serve::http::phase::Phase;
use crate::serve::http::reply::{self, Reply};

/// Returns the next frame of a body from hyper's `polled`, or `None` at its end. An error is counted, and the rest of
/// the body is left unread.
pub(crate) fn arrived<E>(
    polled: Poll<Option<Result<Frame<Bytes>, E>>>,
    desk: &Desk,
) -> Poll<Result<Option<Frame<Bytes>>, Broken>> {
    let Desk { shard, state, .. } = desk;
    let broken = match polled {
        Poll::Ready(None) => return Poll::Ready(Ok(None)),
        Poll::Ready(Some(Ok(frame))) => return Poll::Ready(Ok(Some(frame))),
        Poll::Ready(Some(Err(_))) => match state.refusal() {
            Some(refusal) => {
                shard.refused(refusal);
                Broken::Framing(refusal)
            }
            None => Broken::Incomplete,
        },
        Poll::Pending if state.overdue() == Some(Phase::Body) => {
            shard.timed_out(Phase::Body);
            Broken::TooLate
        }
        Poll::Pending => return Poll::Pending,
    };
    state.unread_body.store(true, Relaxed);
    Poll::Ready(Err(broken))
}

/// Answer to a body of more than `limit` bytes.
pub(crate) fn too_large(limit: u64) -> Reply {
    reply::fail(
        StatusCode::PAYLOAD_TOO_LARGE,
        &format!("Payload too large: the limit is {limit} bytes"),
    )
}

/// Request whose body is gathered, to be answered as a whole.
pub(crate) struct Reading {
    ledger: Ledger,
    body: Incoming,
    gathered: Gathered,
    length: Option<u64>,
}

/// Received part of a body. Most bodies arrive in one piece, which is then used in place.
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

    /// Adds a piece of a body. `length` is the body's length, if known.
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
    pub(crate) fn new(ledger: Ledger, body: Incoming) -> Reading {
        Reading {
            ledger,
            length: body.size_hint().exact(),
            body,
            gathered: Gathered::Nothing,
        }
    }

    /// Closes the account with `reply`.
    pub(crate) fn answer(self, reply: Reply) -> Reply {
        self.ledger.close_with(reply)
    }

    /// Reads the body to its end, and answers it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reply> {
        loop {
            let desk = &*self.ledger.desk;
            let Desk { app, state, .. } = desk;
            let (polled, wakes) = state.hold_wakes(|| Pin::new(&mut self.body).poll_frame(cx));
            // hyper wakes the reader of a piece, to bring the next. After the last there is none, and an extra poll of
            // the connection costs a thirtieth of a request's instructions.
            if wakes && !self.ends_with(&polled) {
                cx.waker().wake_by_ref();
            }
            let frame = match ready!(arrived(polled, desk)) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(broken) => return Poll::Ready(broken.reply()),
            };
            let Ok(piece) = frame.into_data() else {
                continue; // Trailers say nothing that is asked for.
            };
            self.ledger.received += piece.len() as u64;
            if self.ledger.received > app.config.max_body {
                state.unread_body.store(true, Relaxed);
                return Poll::Ready(too_large(app.config.max_body));
            }
            // A body with a length was counted at once; others are counted as they grow, by doubling.
            if self.length.is_none() && !self.ledger.hold(self.ledger.received.next_power_of_two())
            {
                self.ledger.desk.state.unread_body.store(true, Relaxed);
                return Poll::Ready(no_memory());
            }
            self.gathered.push(piece, self.length);
            if self.length == Some(self.ledger.received) {
                break;
            }
        }
        let gathered = std::mem::replace(&mut self.gathered, Gathered::Nothing);
        Poll::Ready(self.ask(gathered.bytes()))
    }

    /// Returns true if nothing of the body follows.
    fn ends_with<E>(&self, polled: &Poll<Option<Result<Frame<Bytes>, E>>>) -> bool {
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                let piece = frame.data_ref().map_or(0, |piece| piece.len() as u64);
                self.length == Some(self.ledger.received + piece)
            }
            _ => false,
        }
    }

    /// Computes the answer; contains panics.
    fn ask(&mut self, body: &[u8]) -> Reply {
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
            // `panics` has logged it.
            Err(_) => Broken::OurFault.reply(),
        }
    }
}

/// Reads a JSON body and computes the answer. Returns the answer, and the number of rows.
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

/// Maximum number of rows in an array to be explained: without tables, an explanation takes as long as many answers.
const MAX_EXPLAINED: usize = 50;

/// Like [`answer`], with explanations.
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
