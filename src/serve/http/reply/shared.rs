//! Answers that are the same for everybody: clients that do not read them share their bytes.

use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::Bytes;

use crate::serve::http::phase::ConnectionState;

/// Number of bytes that hyper gets at once. It copies them; the rest follows when the client has read these.
const PIECE: usize = 8 * 1024;

/// Remaining part of an answer.
pub(crate) struct Shared {
    rest: Bytes,
    state: Arc<ConnectionState>,
    /// True if the next piece waits until the last has been written.
    pause: bool,
}

impl Shared {
    pub(crate) fn new(bytes: Bytes, state: Arc<ConnectionState>) -> Shared {
        Shared {
            rest: bytes,
            state,
            pause: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    /// Returns the next piece when the client has read the previous one.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if self.state.write_is_waiting() {
            // hyper asks again when it has written.
            return Poll::Pending;
        }
        if std::mem::replace(&mut self.pause, false) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.pause = true;
        let len = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(len).to_vec();
        if self.rest.is_empty() {
            // hyper may end an answer without looking at the request behind it, if it has read that already.
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Some(piece))
    }
}
