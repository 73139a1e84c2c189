//! Answers to wrong keys, delayed according to [`Guesses`](crate::serve::http::guesses::Guesses).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::{Sleep, sleep};

use super::ledger::Desk;
use crate::serve::http::reply::Reply;

/// Delayed answer.
pub(crate) struct Delayed {
    reply: Option<Reply>,
    sleep: Pin<Box<Sleep>>,
    desk: Arc<Desk>,
}

impl Delayed {
    pub(crate) fn new(reply: Reply, desk: Arc<Desk>) -> Delayed {
        Delayed {
            reply: Some(reply),
            sleep: Box::pin(sleep(desk.guesses.delay())),
            desk,
        }
    }

    /// Returns the answer as soon as its time has come, or the connection has to make room.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reply> {
        let state = &self.desk.state;
        let is_wanted = state.is_hurried() || state.overdue().is_some();
        let is_time = self.sleep.as_mut().poll(cx).is_ready();
        match self.reply.take() {
            Some(reply) if is_time || is_wanted => Poll::Ready(reply),
            reply => {
                self.reply = reply;
                Poll::Pending
            }
        }
    }
}
