//! Events of a connection, other than deliveries.
//!
//! They arrive through one channel, from `callbacks` and from the tasks of `results`.

use super::window::Delivery;

/// Something that the broker or Redis did.
#[derive(Debug)]
pub enum Event {
    /// The broker has the answer with this number, and with `true` all before it.
    Confirmed(u64, bool),
    /// The broker did not take it, such as a full queue that refuses.
    Refused(u64, bool),
    /// Redis has the result of this message.
    Stored(Delivery),
    /// An answer had no queue to go to: its client is gone.
    Returned,
    /// The broker has stopped reading from this connection, or reads on.
    Blocked(bool),
    /// The broker ended the channel, the consumer or the connection.
    Closed(String),
}
