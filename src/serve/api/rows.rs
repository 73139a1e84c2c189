//! Calls the model: requests in, answers out, observed on the way.

use std::cell::RefCell;

use super::ledger::Ledger;
use crate::explanation::Explanation;
use crate::pick_regno::{Answer, BLOCK, Blocks};
use crate::request::Request;

thread_local! {
    /// Memory of a worker.
    static BLOCKS: RefCell<Blocks> = RefCell::default();
}

/// Answers one request.
pub(super) fn pick(request: &Request<'_>, ledger: &Ledger) -> Answer {
    let picker = &ledger.picker;
    picker.pick(request, &mut ledger.desk.observations.watch(picker))
}

/// Answers one request and explains the answer.
pub(super) fn explain(request: &Request<'_>, ledger: &Ledger) -> (Answer, Explanation) {
    let picker = &ledger.picker;
    picker.pick_explained(request, &mut ledger.desk.observations.watch(picker))
}

/// Answers requests, in order: together, but for those few whose leaves are looked at.
pub(super) fn pick_all<'a>(
    requests: impl Iterator<Item = &'a Request<'a>>,
    ledger: &Ledger,
) -> Vec<Answer> {
    let requests: Vec<&Request<'_>> = requests.collect();
    let mut answers = Vec::with_capacity(requests.len());
    let (picker, observations) = (&ledger.picker, &ledger.desk.observations);
    BLOCKS.with_borrow_mut(|blocks| {
        for requests in requests.chunks(BLOCK) {
            let sample = observations.sample(picker, requests.len());
            let others = (0..).zip(requests).filter(|&(row, _)| !sample.has(row));
            let mut watch = observations.watch_of(picker, false);
            let others = picker.pick_all(others.map(|(_, &request)| request), &mut watch, blocks);
            let mut others = others.iter().copied();
            answers.extend((0..).zip(requests).map(|(row, &request)| {
                if sample.has(row) {
                    picker.pick(request, &mut observations.watch_of(picker, true))
                } else {
                    others.next().expect("a request has an answer")
                }
            }));
        }
    });
    answers
}
