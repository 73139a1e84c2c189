//! Some records of a batch: first all are read, then their requests are answered together.
//!
//! A panic affects one record: those before and after it are answered.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::explanation::Explanation;
use crate::pick_regno::Answer;
use crate::records::{Fault, Records};
use crate::request::Request;
use crate::serve::api::broken::Broken;
use crate::serve::api::ledger::Ledger;
use crate::serve::api::rows;

/// A record that was read.
pub(super) struct Record<'a> {
    /// Its bytes, and the blank lines before it.
    bytes: &'a [u8],
    /// Offset of the record in the text.
    pub(super) at: usize,
    request: Result<Request<'a>, Unread>,
    /// The request as a JSON object, if requests are recorded.
    pub(super) object: Option<Cow<'a, [u8]>>,
}

/// Reason why a record is not a request.
enum Unread {
    Fault(Fault),
    /// The service panicked over it. `panics` has logged that.
    Panic,
}

/// Outcome of a record.
pub(super) enum Answered<'a> {
    Request(Answer, Option<Explanation>),
    Fault(&'a Fault),
    /// The service panicked over it.
    Panic,
}

/// Reads up to `most` records. Ends with the records before one over which the service panicked, if it is unknown where
/// that one ends.
pub(super) fn read<'a>(
    records: &mut Records<'a>,
    most: usize,
    ledger: &Ledger,
) -> (Vec<Record<'a>>, Option<Broken>) {
    let faults = &ledger.desk.app.faults;
    let is_recorded = ledger.is_recorded();
    let mut read = Vec::with_capacity(most);
    while read.len() < most {
        let before = records.rest();
        let next = catch_unwind(AssertUnwindSafe(|| {
            faults.reading(before);
            records.next()
        }));
        let bytes = &before[..before.len() - records.rest().len()];
        let request = match next {
            Ok(None) => break,
            Ok(Some(request)) => request.map_err(Unread::Fault),
            Err(_) if bytes.is_empty() => return (read, Some(Broken::OurFault)),
            Err(_) => Err(Unread::Panic),
        };
        read.push(Record {
            bytes,
            at: records.last_offset(),
            object: (is_recorded && request.is_ok()).then(|| records.last_object()),
            request,
        });
    }
    (read, None)
}

/// Answers the requests of records that were read. Returns all records, in order.
pub(super) fn answer<'a>(
    read: &'a [Record<'a>],
    ledger: &Ledger,
) -> impl Iterator<Item = (&'a Record<'a>, Answered<'a>)> {
    let mut answers = match ledger.explains {
        true => Vec::new(),
        false => answer_together(read, ledger),
    }
    .into_iter();
    read.iter().map(move |record| {
        let answered = match &record.request {
            Ok(request) => match answers.next() {
                Some(answer) => Answered::Request(answer, None),
                None => answer_one(record, request, ledger),
            },
            Err(Unread::Fault(fault)) => Answered::Fault(fault),
            Err(Unread::Panic) => Answered::Panic,
        };
        (record, answered)
    })
}

/// Answers all requests. Returns no answers if the service panicked over one of them.
fn answer_together(read: &[Record<'_>], ledger: &Ledger) -> Vec<Answer> {
    let answers = catch_unwind(AssertUnwindSafe(|| {
        let requests = read.iter().filter_map(|record| {
            let request = record.request.as_ref().ok()?;
            ledger.desk.app.faults.answering(record.bytes);
            Some(request)
        });
        rows::pick_all(requests, ledger)
    }));
    answers.unwrap_or_default()
}

fn answer_one<'a>(record: &Record<'_>, request: &Request<'_>, ledger: &Ledger) -> Answered<'a> {
    let answered = catch_unwind(AssertUnwindSafe(|| {
        ledger.desk.app.faults.answering(record.bytes);
        if ledger.explains {
            let (answer, explanation) = rows::explain(request, ledger);
            return Answered::Request(answer, Some(explanation));
        }
        Answered::Request(rows::pick(request, ledger), None)
    }));
    answered.unwrap_or(Answered::Panic)
}
