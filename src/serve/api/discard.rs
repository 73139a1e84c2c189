//! Discards the body of a refused request if it is there already, so that the connection can continue. A client that is
//! refused for lack of memory would otherwise have to reconnect, which costs both sides more than an answer does.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use hyper::body::{Body as _, Incoming};

use super::ledger::{Desk, Ledger, SHORT_BODY};
use crate::serve::http::fields::{Field, Fields};
use crate::serve::http::reply::Reply;

/// Number of polls in which hyper may deliver what it has: the first only tells it that the body is wanted.
const TURNS: u8 = 2;

/// Answer that waits for the body before it.
pub(crate) struct Discarding {
    ledger: Ledger,
    reply: Reply,
    body: Incoming,
    turns: u8,
}

impl Discarding {
    pub(crate) fn new(ledger: Ledger, reply: Reply, body: Incoming, fields: &Fields<'_>) -> Self {
        let is_short = body
            .size_hint()
            .upper()
            .is_some_and(|most| most <= SHORT_BODY);
        // A client that waits for `100 Continue` has not sent the body, and reading it would ask for it.
        let turns = if is_short && fields.expect == Field::Absent {
            TURNS
        } else {
            0
        };
        Discarding {
            ledger,
            reply,
            body,
            turns,
        }
    }

    /// Discards the body. If it is incomplete, the answer is sent nevertheless, and the connection ends with it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.body.is_end_stream() {
            if self.turns == 0 {
                self.ledger.desk.state.unread_body.store(true, Relaxed);
                break;
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(None) => break,
                Poll::Ready(Some(Err(_))) => self.turns = 0,
                Poll::Pending => {
                    self.turns -= 1;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(())
    }

    /// Returns the connection's desk if the request had a wrong key.
    pub(crate) fn guessed(&self) -> Option<Arc<Desk>> {
        self.ledger.guessed.then(|| Arc::clone(&self.ledger.desk))
    }

    pub(crate) fn answer(self) -> Reply {
        self.ledger.close_with(self.reply)
    }
}
