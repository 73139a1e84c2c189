use std::sync::Arc;

use super::*;

#[derive(Clone, Copy)]
struct Named(&'static str);

impl Label for Named {
    fn label(self) -> &'static str {
        self.0
    }
}

fn lines(registry: &Registry, shards: &[Arc<Shard>]) -> Vec<String> {
    let page = registry.page(|| report(shards));
    page.lines().map(str::to_owned).collect()
}

#[track_caller]
fn assert_has(lines: &[String], line: &str) {
    assert!(
        lines.iter().any(|found| found == line),
        "{line} in:\n{}",
        lines.join("\n")
    );
}

#[test]
fn shards_are_added_up() {
    let registry = Registry::new(&[]);
    let shards = [Arc::<Shard>::default(), Arc::default()];
    for shard in &shards {
        // 1/512 s, 3/512 s and 11 s: their sums are exact.
        for nanos in [1_953_125, 5_859_375, 11_000_000_000] {
            let took = Duration::from_nanos(nanos);
            shard.answered(Named("/reg/"), "POST", 200, took);
        }
        shard.accepted.add(2);
        shard.timed_out(Named("body"));
    }
    shards[0].expect_answers(Named("/reg/"), "POST", &[503]);
    shards[1].expect(&TIMEOUTS, [Named("idle")]);
    let labels = "route=\"/reg/\",method=\"POST\",status=\"200\"";
    // Reported twice, passed on once.
    for _ in 0..2 {
        let lines = lines(&registry, &shards);
        for line in [
            format!("{DURATIONS}_bucket{{{labels},le=\"0.001\"}} 0"),
            format!("{DURATIONS}_bucket{{{labels},le=\"0.0025\"}} 2"),
            format!("{DURATIONS}_bucket{{{labels},le=\"0.01\"}} 4"),
            format!("{DURATIONS}_bucket{{{labels},le=\"10\"}} 4"),
            format!("{DURATIONS}_bucket{{{labels},le=\"+Inf\"}} 6"),
            format!("{DURATIONS}_count{{{labels}}} 6"),
            format!("{DURATIONS}_count{{{}}} 0", labels.replace("200", "503")),
            "http_server_connections_accepted_total 4".to_owned(),
            "http_server_timeouts_total{phase=\"body\"} 2".to_owned(),
            "http_server_timeouts_total{phase=\"idle\"} 0".to_owned(),
        ] {
            assert_has(&lines, &line);
        }
        let sum = lines
            .iter()
            .find_map(|line| line.strip_prefix(&format!("{DURATIONS}_sum{{{labels}}} ")));
        let sum: f64 = sum.unwrap().parse().unwrap();
        assert_eq!(sum, 2.0 * (4.0 / 512.0 + 11.0));
        assert!(!lines.iter().any(|line| line.contains("status=\"404\"")));
    }
}

#[test]
fn a_bound_belongs_to_its_bucket() {
    let registry = Registry::new(&[]);
    let shards = [Arc::<Shard>::default()];
    for nanos in [50_000, 50_001] {
        let took = Duration::from_nanos(nanos);
        shards[0].answered(Named("/reg/"), "POST", 200, took);
    }
    let lines = lines(&registry, &shards);
    let labels = "route=\"/reg/\",method=\"POST\",status=\"200\"";
    for (bound, count) in [("0.00005", 1), ("0.0001", 2)] {
        let line = format!("{DURATIONS}_bucket{{{labels},le=\"{bound}\"}} {count}");
        assert_has(&lines, &line);
    }
}

#[test]
fn a_mean_stays_in_the_bucket_of_its_numbers() {
    const BOUNDS: [f64; 2] = [0.1, 0.3];
    let registry = Registry::new(&[("a", &BOUNDS)]);
    let histogram = Histogram::new(&BOUNDS);
    let page = || {
        let report = || super::histogram("a", "", &NO_LABELS, std::iter::once(&histogram));
        registry.page(report)
    };
    // Sums of 0.1 and of 0.3 are not exact, so neither are their means.
    for times in 1..200 {
        for _ in 0..times {
            histogram.record(0.1);
            histogram.record(0.1_f64.next_up());
            histogram.record(0.3);
            histogram.record(f64::NAN);
        }
        let all = times * (times + 1) / 2;
        let lines: Vec<String> = page().lines().map(str::to_owned).collect();
        assert_has(&lines, &format!("a_bucket{{le=\"0.1\"}} {}", 2 * all));
        assert_has(&lines, &format!("a_bucket{{le=\"0.3\"}} {}", 4 * all));
    }
}
