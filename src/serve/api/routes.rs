//! Processing of a request: its head is decided upon, and its body is read, discarded, or answered record by record.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use hyper::StatusCode;
use hyper::body::Incoming;

use super::admit::{Admission, Decision};
use super::batch::{Batch, Manner};
use super::bodies::Reading;
use super::delayed::Delayed;
use super::discard::Discarding;
use super::ledger::{Desk, Ledger};
use super::route::Route;
use crate::serve::http::fields::Fields;
use crate::serve::http::head::Refusal;
use crate::serve::http::phase::Phase;
use crate::serve::http::reply::{self, Reply};
use crate::serve::http::wire::is_stand_in;

/// Answers the requests of one connection.
pub(crate) struct Routes(pub(crate) Arc<Desk>);

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
        let decision = match refusal {
            None => Admission::new(&mut ledger, &head, &fields, &body).decide(),
            Some(refusal) => Decision::Answer(refuse(&ledger, refusal)),
        };
        match decision {
            Decision::ReadRecords(format, form) => {
                ledger.route = Route::Batch;
                self.0.state.enter(Phase::Body, ledger.started);
                let manner = Manner::of(&head, &body);
                Exchange::Opening(Box::new(Batch::new(ledger, body, format, form, manner)))
            }
            Decision::ReadWhole => {
                self.0.state.enter(Phase::Body, ledger.started);
                Exchange::Reading(Reading::new(ledger, body))
            }
            Decision::Answer(reply) => {
                Exchange::Discarding(Box::new(Discarding::new(ledger, reply, body, &fields)))
            }
        }
    }
}

/// Answer to a request that was refused before it reached hyper.
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

/// A request and its answer.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all exchanges are read, and boxing them would cost an allocation"
)]
pub(crate) enum Exchange {
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
                Poll::Ready(reply) => Poll::Ready(Ok(reading.answer(reply))),
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
