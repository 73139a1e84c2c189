//! Bodies: received parts, and bodies that are gathered and answered as a whole.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use hyper::StatusCode;
use hyper::body::{Body as _, Bytes, Frame, Incoming};

use super::broken::{Broken, no_memory};
use super::infer::infer;
use super::ledger::{Desk, Ledger};
use super::reg;
use super::route::Route;
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
            if self.ledger.route == Route::V2Infer {
                infer(body, &self.ledger)
            } else if self.ledger.explains {
                reg::explain(body, &self.ledger)
            } else {
                reg::answer(body, &self.ledger)
            }
        }));
        match answered {
            Ok((mut reply, rows)) => {
                self.ledger.rows = rows;
                if rows > 0 {
                    self.ledger.name_model(&mut reply);
                }
                reply
            }
            // `panics` has logged it.
            Err(_) => Broken::OurFault.reply(),
        }
    }
}
