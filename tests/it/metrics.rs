//! The page of metrics, and what `docs/metrics.md` says about it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Write as _};
use std::process::{Command, Stdio};

use crate::support::{Client, REQUEST, Running, serve};

const DOCUMENT: &str = include_str!("../../docs/metrics.md");

/// Families of a page, with their types.
fn families(page: &str) -> BTreeMap<String, String> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect()
}

/// Rows of the document's tables: name, type, labels, meaning.
fn documented() -> Vec<[String; 4]> {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').skip(1).map(|cell| cell.trim().to_owned());
        std::array::from_fn(|_| cells.next().unwrap())
    })
    .collect()
}

#[test]
fn every_metric_is_documented_with_its_type_and_labels() {
    let server = serve(&[]);
    assert_eq!(server.post(REQUEST).status, 200);
    let page = Client::connect(server.admin).get("/metrics").text();
    let mut families = families(&page);
    for [name, kind, labels, meaning] in documented() {
        let name = name.trim_matches('`').to_owned();
        let Some(found) = families.remove(&name) else {
            assert!(meaning.contains("Only with"), "{name} is not on the page");
            continue;
        };
        assert_eq!(found, kind, "{name}");
        let samples = page.lines().filter(|line| {
            let rest = line.strip_prefix(&*name).unwrap_or("");
            rest.starts_with(['{', ' ']) || rest.starts_with("_bucket{")
        });
        for sample in samples {
            let of_sample = sample.split_once('{').map_or("", |(_, rest)| rest);
            let of_sample = of_sample
                .split("=\"")
                .filter_map(|part| part.rsplit([',', '"']).next());
            let of_sample: Vec<String> = of_sample
                .filter(|label| !label.is_empty() && *label != "le" && !label.contains('}'))
                .map(|label| format!("`{label}`"))
                .collect();
            assert_eq!(of_sample.join(", "), labels, "{sample}");
        }
    }
    assert!(families.is_empty(), "not documented: {families:?}");
}

#[test]
fn promtool_finds_nothing() {
    let server = serve(&[]);
    assert_eq!(server.post(REQUEST).status, 200);
    assert_eq!(server.post("{}").status, 400);
    let page = Client::connect(server.admin).get("/metrics").text();
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = match promtool {
        Ok(promtool) => promtool,
        Err(why) if why.kind() == ErrorKind::NotFound => {
            let what = "promtool (Debian package prometheus) is not installed";
            assert!(std::env::var_os("NO_SKIPS").is_none(), "{what}");
            eprintln!("skipped: {what}");
            return;
        }
        Err(why) => panic!("{why}"),
    };
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(page.as_bytes())
        .unwrap();
    let said = promtool.wait_with_output().unwrap();
    let text = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
    assert!(said.status.success() && text.is_empty(), "{text}");
}

#[test]
fn nothing_that_is_sent_makes_a_series() {
    let server = serve(&[]);
    let count = || {
        Client::connect(server.admin)
            .get("/metrics")
            .text()
            .lines()
            .count()
    };
    let strange = |nth: usize| {
        let mut client = server.connect();
        let status = client.post(REQUEST).status;
        assert_eq!(status, 200);
        let plate = format!("Ж{nth}§");
        let body = REQUEST
            .replace("А939НО196", &plate)
            .replace("Астра-Трафик", &format!("камера {nth}"))
            .replace("6.4", "null");
        assert_eq!(client.post(&body).status, 200);
        assert_eq!(
            client
                .request(&format!("M{nth}"), &format!("/{nth}"), &[], "")
                .status,
            404
        );
    };
    strange(0);
    let before = count();
    (1..20).for_each(strange);
    assert_eq!(count(), before);
    let page = Client::connect(server.admin).get("/metrics").text();
    assert!(!page.contains('Ж') && !page.contains("камера"), "{page}");
    assert_eq!(
        server.metric("pick_regno_missing_numbers_total{feature=\"recognition_accuracy\"}"),
        20.0
    );
}

/// Rows are observed alike, whether they come one by one, in an array or in a batch. Which rows have their light leaves
/// counted goes by their number, so there is one worker.
#[test]
fn rows_of_arrays_and_batches_are_observed_like_single_ones() {
    let unusual = [
        ("Астра-Трафик", "Летающая"),
        (
            "\"recognition_accuracy\": 6.4",
            "\"recognition_accuracy\": null",
        ),
        ("А939НО19", "А939§§19"),
    ];
    let requests: Vec<String> = (0..300)
        .map(|row| {
            let (usual, other) = unusual[row % unusual.len()];
            assert!(REQUEST.contains(usual), "{usual}");
            match row % 7 {
                0..4 => REQUEST.to_owned(),
                _ => REQUEST.replace(usual, other),
            }
        })
        .collect();
    let observed = |send: &dyn Fn(&Running)| {
        let server = serve(&["--workers", "1"]);
        send(&server);
        let page = Client::connect(server.admin).get("/metrics").text();
        let samples = page.lines().filter(|line| line.starts_with("pick_regno_"));
        // Order decides over the last bits of a sum.
        let samples =
            samples.filter(|line| !line.starts_with("pick_regno_positive_probability_sum"));
        samples.map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let single = observed(&|server| {
        for request in &requests {
            assert_eq!(server.post(request).status, 200);
        }
    });
    let array = observed(&|server| {
        let answer = server.post(&format!("[{}]", requests.join(",")));
        assert_eq!(answer.status, 200);
    });
    let batch = observed(&|server| {
        let headers = [("content-type", "application/x-ndjson")];
        let body = requests.join("\n");
        let answer = server.connect().request("POST", "/reg/", &headers, &body);
        assert_eq!(answer.status, 200);
        assert!(!answer.text().contains("error"));
    });
    for name in [
        "unseen_values",
        "missing_numbers",
        "unknown_characters",
        "unknown_templates",
    ] {
        let counted = single
            .iter()
            .any(|line| line.contains(name) && !line.ends_with(" 0"));
        assert!(counted, "{name}: {single:?}");
    }
    assert!(single.contains("pick_regno_light_leaves_ratio_count 19"));
    assert_eq!(array, single);
    assert_eq!(batch, single);
}
