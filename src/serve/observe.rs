//! What the data scientist sees: how the scores are distributed, and how far requests stray from what the model knows.
//!
//! Counts only, of a number of series that is fixed when the service is compiled; no plate and no value of a request is
//! ever kept. `docs/metrics.md` says what each means and what to do about it.

use catboost_runtime::compiled::{Observer, Row};

use super::metrics::{Counter, Page, Shard};
use crate::model::{self, Features};
use crate::pick_regno::{Answer, Watcher, pick_regno_watched};
use crate::plate::UNKNOWN;
use crate::request::Request;

/// Upper bounds of the score buckets.
const SCORES: [f64; 12] = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.95, 1.0,
];
/// Upper bounds of the buckets for a row's share of light leaves.
const LIGHT: [f64; 8] = [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
/// Parts of the unit that sums are kept in.
const UNIT: f64 = 1e9;
/// Of so many rows, one has its light leaves counted. The bits of a row's leaves are in nearly as many
/// cache lines as there are trees.
const ROWS_A_LIGHT_COUNT: u64 = 16;

/// One worker's counts.
#[derive(Default)]
pub(super) struct Observations {
    scores: Histogram<{ SCORES.len() }>,
    light: Histogram<{ LIGHT.len() }>,
    rows: Counter,
    /// By place in [`model::CATEGORICAL`].
    unseen: Counts<{ model::CATEGORICAL.len() }>,
    /// By place in [`model::TEXT`].
    unknown_words: Counts<{ model::TEXT.len() }>,
    /// By place in [`model::NUMERIC`].
    missing: Counts<{ model::NUMERIC.len() }>,
    unknown_camera_template: Counter,
    unknown_network_template: Counter,
}

impl Observations {
    /// Answers a request, and counts what the model met on the way.
    pub(super) fn pick_regno(&self, request: &Request<'_>) -> Answer {
        let nth = self.rows.value();
        self.rows.inc();
        let counts_light =
            nth.is_multiple_of(ROWS_A_LIGHT_COUNT) && !model::LIGHT_LEAVES.is_empty();
        let mut watch = Watch {
            observations: self,
            counts_light,
            light_leaves: 0,
        };
        let answer = pick_regno_watched(request, &mut watch);
        let light_leaves = watch.light_leaves;
        self.scores.record(&SCORES, answer.positive);
        if counts_light {
            let share = f64::from(light_leaves) / model::TREES as f64;
            self.light.record(&LIGHT, share);
        }
        answer
    }
}

/// Watches one request.
struct Watch<'a> {
    observations: &'a Observations,
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
}

impl Observer for Watch<'_> {
    #[inline(always)]
    fn row(&mut self, row: &Row<'_>) {
        // Most rows have all their numbers: one pass without branches says so.
        if row
            .floats
            .iter()
            .fold(false, |any, number| any | number.is_nan())
        {
            self.observations.missing_of(row.floats);
        }
    }

    #[inline(always)]
    fn unseen(&mut self, cat: usize) {
        self.observations.unseen.inc(cat);
    }

    #[inline(always)]
    fn unknown_token(&mut self, text: usize) {
        self.observations.unknown_words.inc(text);
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
    fn missing_of(&self, floats: &[f32]) {
        for (place, number) in floats.iter().enumerate() {
            if number.is_nan() {
                self.missing.inc(place);
            }
        }
    }
}

/// Some counts.
struct Counts<const N: usize>([Counter; N]);

impl<const N: usize> Default for Counts<N> {
    fn default() -> Self {
        Counts(std::array::from_fn(|_| Counter::default()))
    }
}

impl<const N: usize> Counts<N> {
    #[inline(always)]
    fn inc(&self, place: usize) {
        if let Some(count) = self.0.get(place) {
            count.inc();
        }
    }
}

/// Numbers from 0 to 1 by bucket, and their sum.
struct Histogram<const N: usize> {
    buckets: Counts<N>,
    sum: Counter,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Histogram {
            buckets: Counts::default(),
            sum: Counter::default(),
        }
    }
}

impl<const N: usize> Histogram<N> {
    /// `bounds` ascend, and `number` is at most the last.
    fn record(&self, bounds: &[f64; N], number: f64) {
        let bucket = bounds.partition_point(|&bound| bound < number);
        self.buckets.inc(bucket.min(N - 1));
        self.sum.add((number * UNIT) as u64);
    }
}

/// Writes the families of this file.
pub(super) fn render(page: &mut Page, shards: &[impl AsRef<Shard>]) {
    let sum = |count: &dyn Fn(&Observations) -> u64| -> u64 {
        let counts = shards
            .iter()
            .map(|shard| count(&shard.as_ref().observations));
        counts.sum()
    };
    page.family(
        "pick_regno_positive_probability",
        "histogram",
        "The probabilities answered: how likely the network's reading is the one to keep.",
    );
    page.shares("pick_regno_positive_probability", &SCORES, |bucket| {
        sum(&|of| of.scores.at(bucket))
    });
    if !model::LIGHT_LEAVES.is_empty() {
        page.family(
            "pick_regno_light_leaves_ratio",
            "histogram",
            "What share of its leaves, one a tree, little training data had reached, by row; one row in 16 is looked at.",
        );
        page.shares("pick_regno_light_leaves_ratio", &LIGHT, |bucket| {
            sum(&|of| of.light.at(bucket))
        });
        page.gauge(
            "pick_regno_light_leaves_training_ratio",
            "The same share in the training data itself: what the mean of the histogram is to be compared with.",
            model::LIGHT_SHARE,
        );
    }
    page.by_feature(
        "pick_regno_unseen_values_total",
        "Categorical values that the training data did not have.",
        model::CATEGORICAL.iter().copied(),
        |place| sum(&|of| of.unseen.0[place].value()),
    );
    page.by_feature(
        "pick_regno_unknown_characters_total",
        "Characters of plates that the model's vocabulary does not have.",
        model::TEXT.iter().map(|&name| Some(name)),
        |place| sum(&|of| of.unknown_words.0[place].value()),
    );
    page.by_feature(
        "pick_regno_missing_numbers_total",
        "Numeric features without a value (NaN).",
        model::NUMERIC.iter().copied(),
        |place| sum(&|of| of.missing.0[place].value()),
    );
    page.by_feature(
        "pick_regno_unknown_templates_total",
        "Plates that fit no template: as the camera read them, and as the network did.",
        [Some("regno_template"), Some("regno_template_ai")].into_iter(),
        |place| match place {
            0 => sum(&|of| of.unknown_camera_template.value()),
            _ => sum(&|of| of.unknown_network_template.value()),
        },
    );
}

impl<const N: usize> Histogram<N> {
    /// The count of a bucket, or, past the last, the sum of all numbers in parts of [`UNIT`].
    fn at(&self, bucket: usize) -> u64 {
        self.buckets.0.get(bucket).unwrap_or(&self.sum).value()
    }
}

impl Page {
    /// The samples of a histogram of numbers from 0 to 1; `at` is as [`Histogram::at`].
    fn shares(&mut self, name: &str, bounds: &[f64], at: impl Fn(usize) -> u64) {
        let mut count = 0;
        for (bucket, bound) in bounds.iter().enumerate() {
            count += at(bucket);
            self.sample(
                &format!("{name}_bucket"),
                &format!("le=\"{bound:?}\""),
                count,
            );
        }
        self.sample(&format!("{name}_bucket"), "le=\"+Inf\"", count);
        self.sample(&format!("{name}_sum"), "", at(bounds.len()) as f64 / UNIT);
        self.sample(&format!("{name}_count"), "", count);
    }

    /// A counter with a sample for each place that has a name.
    fn by_feature<'a>(
        &mut self,
        name: &str,
        help: &str,
        features: impl Iterator<Item = Option<&'a str>>,
        count: impl Fn(usize) -> u64,
    ) {
        self.family(name, "counter", help);
        for (place, feature) in features.enumerate() {
            let Some(feature) = feature else { continue };
            let feature = feature
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            self.sample(name, &format!("feature=\"{feature}\""), count(place));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::request::parse_object;

    const REQUEST: &str = r#"{"regno_recognize": "А939НО196", "afts_regno_ai": "А939НО190",
        "recognition_accuracy": 6.4, "afts_regno_ai_score": 0.87,
        "afts_regno_ai_char_scores": "[0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]",
        "afts_regno_ai_length_scores": "[1.0]", "camera_type": "Стационарная",
        "camera_class": "Астра-Трафик", "time_check": "2021-08-01 09:02:59", "direction": 0}"#;

    /// The samples of a page on which `requests` were answered, but for buckets.
    fn samples(requests: &[String]) -> Vec<(String, f64)> {
        let shards = [Arc::new(Shard::default())];
        for request in requests {
            let request = parse_object(request.as_bytes()).unwrap();
            shards[0].observations.pick_regno(&request);
        }
        let mut page = Page::for_test();
        render(&mut page, &shards);
        let text = page.into_text();
        text.lines()
            .filter(|line| !line.starts_with('#') && !line.contains("_bucket"))
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(sample, value)| (sample.to_owned(), value.parse().unwrap()))
            .collect()
    }

    fn of(samples: &[(String, f64)], sample: &str) -> f64 {
        let found = samples.iter().find(|(name, _)| name == sample);
        found.unwrap_or_else(|| panic!("no {sample}")).1
    }

    /// Which samples differ from those of the usual request, and by how much.
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

    /// The leaves of a row.
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
            assert!((counted - share).abs() < 2.0 / UNIT, "{counted} {share}");
        }
    }

    #[test]
    fn scores_are_a_histogram() {
        let two = samples(&[REQUEST.to_owned(), REQUEST.to_owned()]);
        let answer = crate::pick_regno::pick_regno(&parse_object(REQUEST.as_bytes()).unwrap());
        assert_eq!(of(&two, "pick_regno_positive_probability_count"), 2.0);
        let mean = of(&two, "pick_regno_positive_probability_sum") / 2.0;
        assert!((mean - answer.positive).abs() < 2.0 / UNIT, "{mean}");
    }
}
