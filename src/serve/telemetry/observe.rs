//! Observations for data scientists: the distribution of scores, and deviations of requests from what the model knows.
//!
//! Counts only, in a number of series that is fixed at compile time; no plate and no value of a request is ever kept.
//! `docs/metrics.md` explains each series and how to react to it.

use std::sync::Arc;

use catboost_runtime::compiled::{Observer, Row};
use catboost_runtime::predict::FeatureKind;

use super::metrics::{self, Counter, Histogram, NO_LABELS};
use crate::derived::{self, Observed};
use crate::model::{self, Features};
use crate::pick_regno::{Answer, Watcher};
use crate::picker::Picker;
use crate::plate::UNKNOWN;

/// Upper bounds of the score buckets.
const SCORE_BOUNDS: [f64; 12] = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.95, 1.0,
];
/// Upper bounds of the buckets for a row's share of light leaves.
const LIGHT_BOUNDS: [f64; 8] = [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
const SCORES: &str = "pick_regno_positive_probability";
const LIGHT: &str = "pick_regno_light_leaves_ratio";
/// Whole bounds of these histograms, which the exporter would write without their fraction.
const WHOLE_BOUNDS: [(&str, &str); 3] = [(SCORES, "1"), (LIGHT, "0"), (LIGHT, "1")];
/// One row in this many has its light leaves counted, since the bits of a row's leaves are in nearly as many cache
/// lines as there are trees.
const ROWS_A_LIGHT_COUNT: u64 = 16;

/// Returns the page with `le="0.0"` and `le="1.0"` in the buckets of these histograms: a label's value is part of a
/// series' name, and these names have been on the page from the first version.
pub(crate) fn with_named_bounds(page: String) -> String {
    WHOLE_BOUNDS.iter().fold(page, |page, (name, bound)| {
        let bucket = |bound: &str| format!("{name}_bucket{{le=\"{bound}\"}}");
        page.replace(&bucket(bound), &bucket(&format!("{bound}.0")))
    })
}

/// Counters of one worker.
pub(crate) struct Observations {
    scores: Histogram<{ SCORE_BOUNDS.len() }>,
    light: Histogram<{ LIGHT_BOUNDS.len() }>,
    rows: Counter,
    /// By index among the derived inputs of the kind, as those below.
    unseen: Counts<{ derived::CATEGORICAL }>,
    unknown_words: Counts<{ derived::TEXT }>,
    missing: Counts<{ derived::NUMERIC }>,
    unknown_camera_template: Counter,
    unknown_network_template: Counter,
}

impl Default for Observations {
    fn default() -> Self {
        Observations {
            scores: Histogram::new(&SCORE_BOUNDS),
            light: Histogram::new(&LIGHT_BOUNDS),
            rows: Counter::default(),
            unseen: Counts::default(),
            unknown_words: Counts::default(),
            missing: Counts::default(),
            unknown_camera_template: Counter::default(),
            unknown_network_template: Counter::default(),
        }
    }
}

/// Rows that are answered next, and which of them have their light leaves counted.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// The first one; one in [`ROWS_A_LIGHT_COUNT`] follows. `None` if none is counted.
    first: Option<u64>,
}

impl Sample {
    /// Returns whether the light leaves of a row are counted.
    pub(crate) fn has(self, row: usize) -> bool {
        let first = self.first;
        first.is_some_and(|first| row as u64 % ROWS_A_LIGHT_COUNT == first)
    }
}

impl Observations {
    /// Watches the next request, which `picker` answers.
    pub(crate) fn watch<'a>(&'a self, picker: &'a Picker) -> Watch<'a> {
        let counts_light = self.sample(picker, 1).has(0);
        self.watch_of(picker, counts_light)
    }

    /// Chooses among the next `rows` rows, which `picker` answers, those of which light leaves are counted.
    pub(crate) fn sample(&self, picker: &Picker, rows: usize) -> Sample {
        let before = self.rows.value() % ROWS_A_LIGHT_COUNT;
        self.rows.add(rows as u64);
        Sample {
            first: knows_light_leaves(picker)
                .then_some((ROWS_A_LIGHT_COUNT - before) % ROWS_A_LIGHT_COUNT),
        }
    }

    /// Watches requests that were counted by [`Self::sample`]: one whose light leaves are counted, or any number of others.
    pub(crate) fn watch_of<'a>(&'a self, picker: &'a Picker, counts_light: bool) -> Watch<'a> {
        Watch {
            observations: self,
            observed: picker.observed(),
            counts_light,
            light_leaves: 0,
        }
    }
}

/// Observer of one request, or of several whose light leaves are not counted.
pub(crate) struct Watch<'a> {
    observations: &'a Observations,
    observed: &'a Observed,
    counts_light: bool,
    light_leaves: u32,
}

impl Watcher for Watch<'_> {
    fn features(&mut self, features: &Features<'_>) {
        let counts = self.observations;
        if features.regno_template == UNKNOWN {
            counts.unknown_camera_template.inc();
        }
        if features.regno_template_ai == UNKNOWN {
            counts.unknown_network_template.inc();
        }
    }

    fn answer(&mut self, answer: &Answer) {
        self.observations.scores.record(answer.positive);
        if self.counts_light {
            let share = f64::from(self.light_leaves) / model::TREES as f64;
            self.observations.light.record(share);
        }
    }
}

impl Observer for Watch<'_> {
    #[inline(always)]
    fn row(&mut self, row: &Row<'_>) {
        // Common case: no number is missing, which one pass without branches shows.
        if row
            .floats
            .iter()
            .fold(false, |any, number| any | number.is_nan())
        {
            self.observations
                .missing_of(row.floats, &self.observed.numeric);
        }
    }

    #[inline(always)]
    fn unseen(&mut self, cat: usize) {
        self.observations
            .unseen
            .inc(&self.observed.categorical, cat);
    }

    #[inline(always)]
    fn unknown_token(&mut self, text: usize) {
        self.observations
            .unknown_words
            .inc(&self.observed.text, text);
    }

    #[inline(always)]
    fn leaf(&mut self, leaf: usize) {
        if self.counts_light {
            let word = model::LIGHT_LEAVES.get(leaf / 64).unwrap_or(&0);
            self.light_leaves += (word >> (leaf % 64)) as u32 & 1;
        }
    }
}

impl Observations {
    #[cold]
    fn missing_of(&self, floats: &[f32], observed: &[Option<usize>]) {
        for (place, number) in floats.iter().enumerate() {
            if number.is_nan() {
                self.missing.inc(observed, place);
            }
        }
    }
}

/// Array of counters.
struct Counts<const N: usize>([Counter; N]);

impl<const N: usize> Default for Counts<N> {
    fn default() -> Self {
        Counts(std::array::from_fn(|_| Counter::default()))
    }
}

impl<const N: usize> Counts<N> {
    /// Counts the feature that an observer is told of by the index `place`.
    #[inline(always)]
    fn inc(&self, observed: &[Option<usize>], place: usize) {
        let index = observed.get(place).copied().flatten();
        if let Some(count) = index.and_then(|index| self.0.get(index)) {
            count.inc();
        }
    }
}

/// Names and bucket bounds of the histograms.
pub(crate) const HISTOGRAMS: [(&str, &[f64]); 2] =
    [(SCORES, &SCORE_BOUNDS), (LIGHT, &LIGHT_BOUNDS)];

/// Returns whether it is known which leaves little training data had reached: the build counts that.
fn knows_light_leaves(picker: &Picker) -> bool {
    matches!(picker, Picker::Compiled) && !model::LIGHT_LEAVES.is_empty()
}

/// Reports the histograms of all workers, of which `picker` answers at present.
pub(crate) fn hand_over(workers: &[Arc<Observations>], picker: &Picker) {
    metrics::histogram(
        SCORES,
        "The probabilities answered: how likely the network's reading is the one to keep.",
        &NO_LABELS,
        workers.iter().map(|worker| &worker.scores),
    );
    if knows_light_leaves(picker) {
        metrics::histogram(
            LIGHT,
            "What share of its leaves, one a tree, little training data had reached, by row; one row in 16 is looked at.",
            &NO_LABELS,
            workers.iter().map(|worker| &worker.light),
        );
    }
}

/// One count of a worker, by index among the derived inputs of a kind.
type Count = fn(&Observations, usize) -> u64;

/// Reports all that workers observed; `picker` answers at present.
pub(crate) fn report(workers: &[Arc<Observations>], picker: &Picker) {
    hand_over(workers, picker);
    let observed = picker.observed();
    if knows_light_leaves(picker) {
        metrics::gauge(
            "pick_regno_light_leaves_training_ratio",
            "The same share in the training data itself: what the mean of the histogram is to be compared with.",
            &NO_LABELS,
            model::LIGHT_SHARE,
        );
    }
    let by_feature = |name, help, kind, observed: &[Option<usize>], count: Count| {
        for (index, feature) in derived::names(kind).enumerate() {
            if observed.contains(&Some(index)) {
                let total = workers.iter().map(|worker| count(worker, index)).sum();
                metrics::counter(name, help, &[("feature", feature)], total);
            }
        }
    };
    by_feature(
        "pick_regno_unseen_values_total",
        "Categorical values that the training data did not have.",
        FeatureKind::Categorical,
        &observed.categorical,
        |of, index| of.unseen.0[index].value(),
    );
    by_feature(
        "pick_regno_unknown_characters_total",
        "Characters of plates that the model's vocabulary does not have.",
        FeatureKind::Text,
        &observed.text,
        |of, index| of.unknown_words.0[index].value(),
    );
    by_feature(
        "pick_regno_missing_numbers_total",
        "Numeric features without a value (NaN).",
        FeatureKind::Numeric,
        &observed.numeric,
        |of, index| of.missing.0[index].value(),
    );
    let total = |count: &dyn Fn(&Observations) -> u64| workers.iter().map(|one| count(one)).sum();
    for (feature, total) in [
        (
            "regno_template",
            total(&|of| of.unknown_camera_template.value()),
        ),
        (
            "regno_template_ai",
            total(&|of| of.unknown_network_template.value()),
        ),
    ] {
        metrics::counter(
            "pick_regno_unknown_templates_total",
            "Plates that fit no template: as the camera read them, and as the network did.",
            &[("feature", feature)],
            total,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pick_regno::pick_regno_watched;
    use crate::request::parse_object;
    use crate::serve::telemetry::metrics::Registry;

    const REQUEST: &str = r#"{"regno_recognize": "А939НО196", "afts_regno_ai": "А939НО190",
        "recognition_accuracy": 6.4, "afts_regno_ai_score": 0.87,
        "afts_regno_ai_char_scores": "[0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]",
        "afts_regno_ai_length_scores": "[1.0]", "camera_type": "Стационарная",
        "camera_class": "Астра-Трафик", "time_check": "2021-08-01 09:02:59", "direction": 0}"#;

    /// Samples of a page after `requests` were answered, except buckets.
    fn samples(requests: &[String]) -> Vec<(String, f64)> {
        let workers = [Arc::<Observations>::default()];
        for request in requests {
            let request = parse_object(request.as_bytes()).unwrap();
            pick_regno_watched(&request, &mut workers[0].watch(&Picker::Compiled));
        }
        let text = Registry::new(&HISTOGRAMS).page(|| report(&workers, &Picker::Compiled));
        text.lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .filter(|line| !line.contains("_bucket"))
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(sample, value)| (sample.to_owned(), value.parse().unwrap()))
            .collect()
    }

    fn of(samples: &[(String, f64)], sample: &str) -> f64 {
        let found = samples.iter().find(|(name, _)| name == sample);
        found.unwrap_or_else(|| panic!("no {sample}")).1
    }

    /// Samples that differ from those of the usual request, with both counts.
    fn strays(from: &str, to: &str) -> Vec<(String, f64)> {
        assert!(REQUEST.contains(from));
        let usual = samples(&[REQUEST.to_owned()]);
        let strange = samples(&[REQUEST.replace(from, to)]);
        let counters = strange
            .into_iter()
            .filter(|(name, _)| name.contains("_total"));
        counters
            .map(|(name, count)| (of(&usual, &name), name, count))
            .filter(|(before, _, count)| before != count)
            .map(|(before, name, count)| (name, count - before))
            .collect()
    }

    #[test]
    fn whole_bounds_keep_their_fraction() {
        let workers = [Arc::<Observations>::default()];
        let page = Registry::new(&HISTOGRAMS).page(|| report(&workers, &Picker::Compiled));
        let page = with_named_bounds(page);
        let bounds = |name: &str| -> Vec<String> {
            let lines = page.lines().filter_map(|line| line.strip_prefix(name));
            let buckets = lines.filter(|line| line.starts_with("_bucket"));
            buckets
                .map(|line| line.split('"').nth(1).unwrap_or_default().to_owned())
                .collect()
        };
        let named = |bounds: &[f64]| -> Vec<String> {
            let named = bounds.iter().map(|bound| format!("{bound:?}"));
            named.chain(["+Inf".to_owned()]).collect()
        };
        assert_eq!(bounds(SCORES), named(&SCORE_BOUNDS));
        assert_eq!(bounds(LIGHT), named(&LIGHT_BOUNDS));
    }

    #[test]
    fn what_strays_is_counted_where_it_strays() {
        let one = |name: &str, feature: &str, count: f64| {
            (
                format!("pick_regno_{name}_total{{feature=\"{feature}\"}}"),
                count,
            )
        };
        assert_eq!(
            strays("Астра-Трафик", "Летающая"),
            [one("unseen_values", "camera_class", 1.0)]
        );
        assert_eq!(
            strays(
                "\"recognition_accuracy\": 6.4",
                "\"recognition_accuracy\": null"
            ),
            [one("missing_numbers", "recognition_accuracy", 1.0)]
        );
        let strange = strays("А939НО196", "А939НО19Ж");
        assert!(
            strange.contains(&one("unknown_templates", "regno_template", 1.0)),
            "{strange:?}"
        );
        let strange = strays("А939НО190", "А939§§190");
        assert!(
            strange.contains(&one("unknown_characters", "afts_regno_ai_text", 2.0)),
            "{strange:?}"
        );
        assert!(strange.contains(&one("unknown_templates", "regno_template_ai", 1.0)));
    }

    /// Leaves of a row.
    #[derive(Default)]
    struct Leaves(Vec<usize>);

    impl Observer for Leaves {
        fn leaf(&mut self, leaf: usize) {
            self.0.push(leaf);
        }
    }

    impl Watcher for Leaves {
        fn features(&mut self, _: &Features<'_>) {}
    }

    #[test]
    fn light_leaves_are_counted_of_some_rows() {
        let times = 2 * ROWS_A_LIGHT_COUNT as usize + 1;
        let samples = samples(&vec![REQUEST.to_owned(); times]);
        assert_eq!(of(&samples, "pick_regno_light_leaves_ratio_count"), 3.0);
        let scores = of(&samples, "pick_regno_positive_probability_count");
        assert_eq!(scores, times as f64);
    }

    #[test]
    fn light_leaves_are_counted_against_all() {
        let training = of(&samples(&[]), "pick_regno_light_leaves_training_ratio");
        assert!((0.0..0.5).contains(&training), "{training}");
        for (from, to) in [("", ""), ("[1.0]", "[0.1]"), ("А939НО19", "§")] {
            let request = REQUEST.replace(from, to);
            let mut leaves = Leaves::default();
            pick_regno_watched(&parse_object(request.as_bytes()).unwrap(), &mut leaves);
            assert_eq!(leaves.0.len(), model::TREES);
            let is_light =
                |leaf: &&usize| model::LIGHT_LEAVES[**leaf / 64] >> (**leaf % 64) & 1 == 1;
            let light = leaves.0.iter().filter(is_light).count();
            let counted = of(&samples(&[request]), "pick_regno_light_leaves_ratio_sum");
            let share = light as f64 / model::TREES as f64;
            assert_eq!(counted, share);
        }
    }

    #[test]
    fn scores_are_a_histogram() {
        let two = samples(&[REQUEST.to_owned(), REQUEST.to_owned()]);
        let answer = crate::pick_regno::pick_regno(&parse_object(REQUEST.as_bytes()).unwrap());
        assert_eq!(of(&two, "pick_regno_positive_probability_count"), 2.0);
        let sum = of(&two, "pick_regno_positive_probability_sum");
        assert_eq!(sum, answer.positive + answer.positive);
    }
}
