//! Faults that tests make.

/// Where tests make the service panic.
#[doc(hidden)]
#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// Is called with each body, and each record of a batch, before it is answered.
    pub answering: Option<fn(&[u8])>,
    /// Is called before each record of a batch is read, with what begins with it.
    pub reading: Option<fn(&[u8])>,
    /// Is called on the way of a connection, with the name of where it is: `handshake`, `head`, `batch`, `admin`, `sweep`.
    pub at: Option<fn(&str)>,
}

impl Faults {
    pub(crate) fn answering(&self, body: &[u8]) {
        if let Some(fault) = self.answering {
            fault(body);
        }
    }

    pub(crate) fn at(&self, place: &str) {
        if let Some(fault) = self.at {
            fault(place);
        }
    }

    pub(crate) fn reading(&self, records: &[u8]) {
        if let Some(fault) = self.reading {
            fault(records);
        }
    }
}
