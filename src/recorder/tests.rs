use std::path::{Path, PathBuf};

use serde_json::Value;

use super::settings::Plates;
use super::*;
use crate::pick_regno::{Answer, pick_regno};
use crate::request::parse_object;

const REQUEST: &str = r#"{"regno_recognize": "А939НО196", "afts_regno_ai": "А939НО190",
        "recognition_accuracy": null, "afts_regno_ai_score": 0.87,
        "afts_regno_ai_char_scores": "[0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]",
        "afts_regno_ai_length_scores": "[1.0]", "camera_type": "Стационарная",
        "camera_class": "Астра-Трафик", "time_check": "2021-08-01 09:02:59", "direction": 0}"#;

/// Creates a folder for each test.
fn folder(name: &str) -> PathBuf {
    let folder =
        std::env::temp_dir().join(format!("pick-regno-recorder-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn settings(folder: &Path, plates: Plates) -> Settings {
    Settings {
        folder: folder.to_owned(),
        limit: 64 << 20,
        sample: 1.0,
        plates,
        key: b"0123456789abcdef".to_vec(),
    }
}

fn answer() -> Answer {
    pick_regno(&parse_object(REQUEST.as_bytes()).unwrap())
}

/// Waits until nothing is in the queue.
fn wait_for_writer(recorder: &Recorder) {
    while recorder.queued_bytes.load(Relaxed) > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Records with a recorder, finishes it, and returns the lines.
fn recorded(settings: &Settings, record: impl FnOnce(&Recorder)) -> Vec<Value> {
    let recorder = Recorder::start(settings).unwrap();
    record(&recorder);
    recorder.flush();
    recorder.finish(Duration::from_secs(20));
    let lost: u64 = Lost::ALL.map(|why| recorder.lost(why)).iter().sum();
    let lines: Vec<Value> = segments(&settings.folder)
        .unwrap()
        .iter()
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
            lines.collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(recorder.given(), recorder.written() + lost);
    std::fs::remove_dir_all(&settings.folder).unwrap();
    lines
}

#[test]
fn every_kind_of_body_becomes_rows() {
    let settings = settings(&folder("kinds"), Plates::Plain);
    let answer = answer();
    let array = format!("[{REQUEST},\n{REQUEST}]");
    let text = serde_json::to_string(&array).unwrap();
    let lines = recorded(&settings, |recorder| {
        recorder.record(
            Source::Body,
            "one",
            crate::model::SHA256,
            0,
            REQUEST.as_bytes(),
            &[answer],
        );
        recorder.record(
            Source::Body,
            "two",
            crate::model::SHA256,
            0,
            array.as_bytes(),
            &[answer; 2],
        );
        recorder.record(
            Source::Body,
            "th\"ree",
            crate::model::SHA256,
            0,
            text.as_bytes(),
            &[answer; 2],
        );
        recorder.record(
            Source::Object,
            "four",
            crate::model::SHA256,
            7,
            REQUEST.as_bytes(),
            &[answer],
        );
        recorder.record(Source::Body, "none", crate::model::SHA256, 0, b"[]", &[]);
    });
    let keys: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["request_id"].as_str().unwrap(),
                line["row"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        keys,
        [
            ("one", 0),
            ("two", 0),
            ("two", 1),
            ("th\"ree", 0),
            ("th\"ree", 1),
            ("four", 7)
        ]
    );
    let expected: Value = serde_json::from_str(REQUEST).unwrap();
    for (seq, line) in lines.iter().enumerate() {
        assert_eq!(line["seq"], seq);
        assert_eq!(line["instance"], lines[0]["instance"]);
        assert_eq!(line["model"], crate::model::SHA256);
        assert_eq!(line["request"], expected);
        assert_eq!(
            line["raw"].as_f64().unwrap().to_bits(),
            answer.raw.to_bits()
        );
        assert_eq!(line["inputs"]["camera_class"], "Астра-Трафик");
        assert!(line["inputs"]["recognition_accuracy"].is_null());
        assert_eq!(line["inputs"]["f_9"], 0.9);
        assert_eq!(line["inputs"].as_object().unwrap().len(), 39);
    }
}

#[test]
fn plates_are_left_out_unless_they_are_asked_for() {
    let answer = answer();
    let one = |plates| {
        let settings = settings(&folder(&format!("{plates:?}")), plates);
        let mut lines = recorded(&settings, |recorder| {
            recorder.record(
                Source::Body,
                "one",
                crate::model::SHA256,
                0,
                REQUEST.as_bytes(),
                &[answer],
            );
        });
        lines.remove(0)
    };
    for plates in [Plates::Omit, Plates::Hmac] {
        let line = one(plates).to_string();
        assert!(!line.contains("939"), "{line}");
    }
    // `printf 'А939НО196' | openssl dgst -sha256 -hmac 0123456789abcdef`
    assert_eq!(
        one(Plates::Hmac)["plates"]["regno_recognize"],
        "974c22b62285a4e6f91c3f3a1c682b9dd15cdb571b810ff4e6f69bc2ff3a9356"
    );
    assert!(one(Plates::Omit).get("plates").is_none());
    assert!(one(Plates::Omit).get("request").is_none());
}

#[test]
fn what_a_killed_process_left_is_kept_and_the_rest_counted() {
    let settings = settings(&folder("killed"), Plates::Omit);
    let folder = &settings.folder;
    let recorder = Recorder::start(&settings).unwrap();
    let answer = answer();
    let record = |times: usize| {
        for _ in 0..times {
            recorder.record(
                Source::Body,
                "one",
                crate::model::SHA256,
                0,
                REQUEST.as_bytes(),
                &[answer],
            );
        }
        recorder.flush();
        wait_for_writer(&recorder);
    };
    record(3);
    // State of the file after `kill -9`, with 4 rows in memory, and half a line.
    let dead = folder.with_extension("dead");
    let _ = std::fs::remove_dir_all(&dead);
    std::fs::create_dir(&dead).unwrap();
    recorder.ledger.give(4);
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), dead.join(file.file_name())).unwrap();
    }
    recorder.finish(Duration::from_secs(20));
    let open = std::fs::read_dir(&dead)
        .unwrap()
        .flatten()
        .map(|file| file.path());
    let open = open.filter(|path| path.extension().is_some_and(|is| is == "open"));
    let open: Vec<_> = open.collect();
    assert_eq!(open.len(), 1);
    let mut bytes = std::fs::read(&open[0]).unwrap();
    bytes.extend_from_slice(b"{\"time\":\"half a li");
    std::fs::write(&open[0], bytes).unwrap();
    let next = Settings {
        folder: dead,
        ..settings.clone()
    };
    let recorder = Recorder::start(&next).unwrap();
    assert_eq!(recorder.lost(Lost::Killed), 4);
    assert_eq!(recorder.given(), 0);
    recorder.finish(Duration::from_secs(20));
    let left = segments(&next.folder).unwrap();
    assert_eq!(left.len(), 1);
    let text = std::fs::read_to_string(&left[0]).unwrap();
    assert_eq!((text.lines().count(), text.ends_with("}\n")), (3, true));
    // Nothing is counted twice.
    let recorder = Recorder::start(&next).unwrap();
    assert_eq!(recorder.lost(Lost::Killed), 0);
    drop(recorder);
    std::fs::remove_dir_all(&next.folder).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_folder_has_one_process() {
    let settings = settings(&folder("lock"), Plates::Omit);
    let first = Recorder::start(&settings).unwrap();
    let why = Recorder::start(&settings).err().unwrap().to_string();
    assert!(why.contains("another process records there"), "{why}");
    first.finish(Duration::from_secs(20));
    Recorder::start(&settings)
        .unwrap()
        .finish(Duration::from_secs(20));
    std::fs::remove_dir_all(&settings.folder).unwrap();
}

#[test]
fn beyond_its_limit_rows_are_dropped_and_counted() {
    let settings = Settings {
        limit: 100_000,
        ..settings(&folder("limit"), Plates::Omit)
    };
    let answer = answer();
    let mut lost = 0;
    let lines = recorded(&settings, |recorder| {
        for _ in 0..20 {
            for _ in 0..20 {
                recorder.record(
                    Source::Body,
                    "one",
                    crate::model::SHA256,
                    0,
                    REQUEST.as_bytes(),
                    &[answer],
                );
            }
            recorder.flush();
        }
        wait_for_writer(recorder);
        lost = recorder.lost(Lost::Limit);
    });
    assert!(lost > 0);
    assert_eq!(lines.len() as u64 + lost, 400);
}

#[test]
fn while_the_queue_is_full_rows_are_dropped_and_counted() {
    let settings = settings(&folder("full"), Plates::Omit);
    let recorder = Recorder::start(&settings).unwrap();
    let record = || {
        let text = REQUEST.as_bytes();
        recorder.record(Source::Body, "id", "model", 0, text, &[answer()]);
    };
    recorder.queued_bytes.store(QUEUE_BYTES, Relaxed);
    record();
    recorder.flush();
    assert_eq!(recorder.lost(Lost::Queue), 1, "not gathered");
    recorder.queued_bytes.store(0, Relaxed);
    record();
    recorder.queued_bytes.store(QUEUE_BYTES, Relaxed);
    recorder.flush();
    assert_eq!(recorder.lost(Lost::Queue), 2, "gathered, and not passed on");
    recorder.queued_bytes.store(0, Relaxed);
    record();
    recorder.flush();
    recorder.finish(Duration::from_secs(20));
    record();
    recorder.flush();
    assert_eq!(recorder.lost(Lost::Queue), 3, "after the end");
    assert_eq!((recorder.given(), recorder.written()), (4, 1));
    std::fs::remove_dir_all(&settings.folder).unwrap();
}

#[test]
fn buffers_are_used_again() {
    let settings = settings(&folder("buffers"), Plates::Omit);
    let spare = |recorder: &Recorder| recorder.spare.lock().unwrap().len();
    let lines = recorded(&settings, |recorder| {
        for seq in 0..3 {
            let text = REQUEST.as_bytes();
            recorder.record(Source::Body, "id", "model", seq, text, &[answer()]);
            recorder.flush();
            while spare(recorder) == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(spare(recorder), 1);
        }
    });
    assert_eq!(lines.len(), 3);
}

#[test]
fn rows_of_a_folder_that_was_removed_are_lost_and_counted() {
    let settings = settings(&folder("removed"), Plates::Omit);
    let recorder = Recorder::start(&settings).unwrap();
    let answer = answer();
    let record = || {
        recorder.record(
            Source::Body,
            "one",
            crate::model::SHA256,
            0,
            REQUEST.as_bytes(),
            &[answer],
        );
        recorder.flush();
        wait_for_writer(&recorder);
    };
    record();
    std::fs::remove_dir_all(&settings.folder).unwrap();
    record();
    // A new folder has no ledger of this process: a kill would leave rows in it that nobody counts.
    std::fs::create_dir(&settings.folder).unwrap();
    record();
    recorder.finish(Duration::from_secs(20));
    assert_eq!(recorder.lost(Lost::Disk), 3);
    assert_eq!((recorder.given(), recorder.written()), (3, 0));
    assert!(segments(&settings.folder).unwrap().is_empty());
    std::fs::remove_dir_all(&settings.folder).unwrap();
}

#[test]
fn a_variable_that_is_set_to_nothing_records_nothing() {
    let args = RecordArgs {
        record: Some(PathBuf::new()),
        record_limit: 64 << 20,
        record_sample: 1.0,
        record_plates: Plates::Omit,
        record_key_file: None,
    };
    assert!(args.settings().unwrap().is_none());
}
