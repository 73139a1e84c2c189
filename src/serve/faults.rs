//! Faults that tests inject.

/// Faults that tests inject.
#[doc(hidden)]
#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// Called with each body, and each record of a batch, before it is answered.
    pub answering: Option<fn(&[u8])>,
    /// Called before each record of a batch is read, with the remaining text.
    pub reading: Option<fn(&[u8])>,
    /// Called at stages of a connection, with the name of the stage: `handshake`, `head`, `batch`, `admin`, `sweep`.
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
