//! Connections: bytes → requests, and answers → bytes. Independent of the API.

pub(crate) mod accept;
pub(crate) mod addresses;
pub(crate) mod connection;
pub(crate) mod connections;
pub(crate) mod date;
pub(crate) mod descriptors;
pub(crate) mod drain;
pub(crate) mod fields;
pub(crate) mod framing;
pub(crate) mod guesses;
pub(crate) mod handshake;
pub(crate) mod head;
pub(crate) mod last_head;
pub(crate) mod method;
pub(crate) mod phase;
pub(crate) mod reply;
pub(crate) mod transport;
pub(crate) mod wire;
pub(crate) mod worker;
