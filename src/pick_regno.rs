//! Request → two probabilities.

use catboost_runtime::block::Scratch;
use catboost_runtime::compiled::Observer;
use catboost_runtime::math::sigmoid;

use crate::features::{Texts, features};
use crate::model::{self, Features};
use crate::request::Request;

/// Answer to one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// Sum of the trees, before the sigmoid.
    pub raw: f64,
    /// Probability that the network's reading is the wrong one to keep: `1 - positive`.
    pub negative: f64,
    /// Probability that the network's reading is the one to keep: `1 / (1 + exp(-raw))`.
    pub positive: f64,
}

impl Answer {
    /// The answer of a model whose sum is `raw`.
    #[must_use]
    #[inline]
    pub fn new(raw: f64) -> Answer {
        let positive = sigmoid(raw);
        Answer {
            raw,
            negative: 1.0 - positive,
            positive,
        }
    }
}

/// Receives the stages of a request, and what the evaluation meets. `()` receives nothing and costs nothing.
pub trait Watcher: Observer {
    /// False for a watcher that does nothing: a loaded model's evaluation for nobody is compiled already.
    const LISTENS: bool = true;

    /// Called with the model's inputs.
    fn features(&mut self, features: &Features<'_>);

    /// Called with the answer.
    fn answer(&mut self, _: &Answer) {}
}

impl Watcher for () {
    const LISTENS: bool = false;

    fn features(&mut self, _: &Features<'_>) {}
}

/// Answers one request. Cannot fail: [`crate::request`] has checked the request.
#[must_use]
pub fn pick_regno(request: &Request<'_>) -> Answer {
    pick_regno_watched(request, &mut ())
}

/// [`pick_regno`], which also reports to `watcher` what the evaluation meets, by indices into [`model::NUMERIC`],
/// [`model::CATEGORICAL`] and [`model::TEXT`].
pub fn pick_regno_watched(request: &Request<'_>, watcher: &mut impl Watcher) -> Answer {
    let mut texts = Texts::default();
    let features = features(request, &mut texts);
    answer(&features, watcher)
}

/// Answers a request whose features are derived.
pub(crate) fn answer(features: &Features<'_>, watcher: &mut impl Watcher) -> Answer {
    watcher.features(features);
    let [raw] = model::raw_observed(features, watcher);
    let answer = Answer::new(raw);
    watcher.answer(&answer);
    answer
}

/// Number of requests that are best answered at once: their features stay in the L2 cache.
pub const BLOCK: usize = 128;

/// Answers many requests, step by step over all of them: in less time than one by one. Its memory is reused.
#[derive(Default)]
pub struct Blocks {
    texts: Vec<Texts>,
    raw: Vec<[f64; 1]>,
    answers: Vec<Answer>,
    scratch: Scratch,
}

impl Blocks {
    /// Answers requests, as [`pick_regno_watched`] does, in order; `watcher` is not told of leaves. Best given [`BLOCK`]
    /// requests.
    pub fn answer<'a>(
        &mut self,
        requests: impl Iterator<Item = &'a Request<'a>>,
        watcher: &mut impl Watcher,
    ) -> &[Answer] {
        self.answer_with(
            requests,
            watcher,
            |rows, scratch, raw, observer| match observer {
                Some(observer) => model::raw_block_observed(rows, scratch, raw, observer),
                None => model::raw_block(rows, scratch, raw),
            },
        )
    }

    /// Answers requests with the raw values that `evaluate` writes for their features.
    pub(crate) fn answer_with<'a, W: Watcher>(
        &mut self,
        requests: impl Iterator<Item = &'a Request<'a>>,
        watcher: &mut W,
        evaluate: impl FnOnce(&[Features<'_>], &mut Scratch, &mut [[f64; 1]], Option<&mut dyn Observer>),
    ) -> &[Answer] {
        let requests: Vec<&Request<'_>> = requests.collect();
        self.texts.resize_with(requests.len(), Texts::default);
        self.raw.resize(requests.len(), [0.0]);
        let rows = requests.iter().zip(&mut self.texts);
        let rows: Vec<Features<'_>> = rows
            .map(|(request, texts)| features(request, texts))
            .collect();
        rows.iter().for_each(|row| watcher.features(row));
        let observer: &mut dyn Observer = watcher;
        let observer = W::LISTENS.then_some(observer);
        evaluate(&rows, &mut self.scratch, &mut self.raw, observer);
        self.answers.clear();
        let answers = self.raw.iter().map(|&[raw]| Answer::new(raw));
        self.answers.extend(answers);
        self.answers
            .iter()
            .for_each(|answer| watcher.answer(answer));
        &self.answers
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Blocks, pick_regno};
    use crate::request::parse_object;

    #[test]
    fn a_block_is_answered_as_its_requests_are() {
        let cases = include_str!("../fixtures/cases.ndjson");
        let bodies: Vec<String> = cases
            .lines()
            .map(|line| {
                let case: serde_json::Value = serde_json::from_str(line).expect("a case is JSON");
                case["request"].to_string()
            })
            .collect();
        let requests = bodies.iter().map(|body| parse_object(body.as_bytes()));
        let requests: Vec<_> = requests.collect::<Result<_, _>>().expect("requests");
        let expected: Vec<_> = requests.iter().map(pick_regno).collect();
        let bits = |answers: &[super::Answer]| -> Vec<u64> {
            answers.iter().map(|answer| answer.raw.to_bits()).collect()
        };
        let mut blocks = Blocks::default();
        for size in [BLOCK, 1, 7, 13, 0] {
            let found = blocks.answer(requests.iter().take(size), &mut ());
            assert_eq!(found.len(), size.min(requests.len()));
            assert_eq!(bits(found), bits(&expected[..found.len()]));
            assert_eq!(found, &expected[..found.len()]);
        }
    }
}
