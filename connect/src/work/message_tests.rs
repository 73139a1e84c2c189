use amqprs::{FieldTable, FieldValue};
use pick_regno::pick_regno::pick_regno;
use serde_json::Value;

use super::*;

const REQUEST: &str = r#"{"regno_recognize": "А939НО196", "afts_regno_ai": "А939НО190",
    "recognition_accuracy": 6.4, "afts_regno_ai_score": 0.87,
    "afts_regno_ai_char_scores": "[0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]",
    "afts_regno_ai_length_scores": "[1.0]", "camera_type": "Стационарная",
    "camera_class": "Астра-Трафик", "time_check": "2021-08-01 09:02:59", "direction": 0}"#;

fn rules(results_in_redis: bool) -> Rules {
    Rules {
        task: "pick_regno".to_owned(),
        results_in_redis,
        model: Model::Compiled,
    }
}

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-30T12:00:00Z")
        .unwrap()
        .to_utc()
}

fn plain() -> BasicProperties {
    let mut properties = BasicProperties::default();
    properties.with_reply_to("answers").with_correlation_id("7");
    properties
}

fn task(headers: &[(&str, &str)]) -> BasicProperties {
    let mut table = FieldTable::new();
    for (name, value) in [("task", "pick_regno"), ("id", "abc")]
        .iter()
        .chain(headers)
    {
        table.insert((*name).try_into().unwrap(), FieldValue::from(*value));
    }
    let mut properties = plain();
    properties.with_headers(table);
    properties
}

fn body(request: &str) -> String {
    format!(
        r#"[[{request}], {{}}, {{"callbacks":null,"errbacks":null,"chain":null,"chord":null}}]"#
    )
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn a_plain_request_gets_the_services_answer() {
    let Verdict::Answer { answer, rows: 1 } =
        rules(false).judge(&plain(), REQUEST.as_bytes(), now())
    else {
        panic!();
    };
    let Ok(Body::One(request)) = parse_body(REQUEST.as_bytes()) else {
        panic!();
    };
    let mut expected = Vec::new();
    write_one(&pick_regno(&request), &mut expected);
    assert_eq!(answer.body, expected);
    assert_eq!(
        answer.to,
        Target::Queue {
            reply_to: "answers".to_owned(),
            correlation_id: Some("7".to_owned()),
            persistent: false
        }
    );
    let array = format!("[{REQUEST},{REQUEST}]");
    let verdict = rules(false).judge(&plain(), array.as_bytes(), now());
    assert!(matches!(verdict, Verdict::Answer { rows: 2, .. }));
}

#[test]
fn what_is_not_a_request_is_dead_lettered_and_its_sender_told() {
    for bad in ["", "nonsense", "{}", "[{}]", "\u{0}", "null", "7"] {
        let verdict = rules(false).judge(&plain(), bad.as_bytes(), now());
        let Verdict::DeadLetter { answer, .. } = verdict else {
            panic!("{bad}");
        };
        assert_eq!(json(&answer.unwrap())["status"], "fail", "{bad}");
    }
    let nobody = rules(false).judge(&BasicProperties::default(), REQUEST.as_bytes(), now());
    assert!(matches!(
        nobody,
        Verdict::DeadLetter {
            why: "no reply_to",
            answer: None
        }
    ));
    let mut pickle = plain();
    pickle.with_content_type("application/x-python-serialize");
    let verdict = rules(false).judge(&pickle, REQUEST.as_bytes(), now());
    assert!(matches!(
        verdict,
        Verdict::DeadLetter {
            answer: Some(_),
            ..
        }
    ));
}

#[test]
fn no_answer_repeats_a_value() {
    let secret = REQUEST.replace("А939НО196", "Ж1").replace("0.87", "\"Ж2\"");
    for (properties, body) in [(plain(), secret.clone()), (task(&[]), body(&secret))] {
        let verdict = rules(false).judge(&properties, body.as_bytes(), now());
        let (Verdict::DeadLetter {
            answer: Some(answer),
            ..
        }
        | Verdict::Fail { answer }) = verdict
        else {
            panic!("{verdict:?}");
        };
        let text = String::from_utf8(answer.body).unwrap();
        assert!(
            text.contains("afts_regno_ai_score") && !text.contains('Ж'),
            "{text}"
        );
    }
}

#[test]
fn a_task_gets_its_result_where_results_are_kept() {
    for (redis, to) in [
        (
            false,
            Target::Queue {
                reply_to: "answers".to_owned(),
                correlation_id: Some("7".to_owned()),
                persistent: false,
            },
        ),
        (true, Target::Redis("abc".to_owned())),
    ] {
        let verdict = rules(redis).judge(&task(&[]), body(REQUEST).as_bytes(), now());
        let Verdict::Answer { answer, rows: 1 } = verdict else {
            panic!();
        };
        assert_eq!(answer.to, to);
        let answer = json(&answer);
        assert_eq!(answer["status"], "SUCCESS");
        assert_eq!(answer["task_id"], "abc");
        assert!(answer["result"]["positive"].is_f64());
        assert_eq!(answer["date_done"].is_string(), redis);
    }
}

#[test]
fn nobody_is_told_who_ignores_the_result() {
    let mut table = FieldTable::new();
    table.insert("task".try_into().unwrap(), "pick_regno".into());
    table.insert("id".try_into().unwrap(), "abc".into());
    table.insert("ignore_result".try_into().unwrap(), true.into());
    let mut properties = plain();
    properties.with_headers(table);
    let judge = |body: &str| rules(false).judge(&properties, body.as_bytes(), now());
    assert_eq!(judge(&body(REQUEST)), Verdict::Done { rows: 1 });
    assert_eq!(judge(&body("{}")), Verdict::Done { rows: 0 });
}

#[test]
fn a_task_waits_for_its_eta_and_not_beyond_its_end() {
    let judge = |headers: &[(&str, &str)]| {
        rules(false).judge(&task(headers), body(REQUEST).as_bytes(), now())
    };
    let at = |minutes| now() + chrono::Duration::minutes(minutes);
    let later = ("eta", "2026-11-30T12:10:00+00:00");
    assert_eq!(judge(&[later]), Verdict::Hold(at(10)));
    assert_eq!(
        judge(&[later, ("expires", "2026-11-30T12:05:00")]),
        Verdict::Hold(at(5))
    );
    let past = ("eta", "2026-11-30T11:00:00");
    assert!(matches!(judge(&[past]), Verdict::Answer { .. }));
    for (headers, status, kind) in [
        (
            [("expires", "2026-11-30T11:00:00")],
            "REVOKED",
            "TaskRevokedError",
        ),
        ([("expires", "tomorrow")], "FAILURE", "ValueError"),
        ([("eta", "tomorrow")], "FAILURE", "ValueError"),
        (
            [("compression", "application/x-gzip")],
            "FAILURE",
            "NotImplementedError",
        ),
    ] {
        let Verdict::Fail { answer } = judge(&headers) else {
            panic!("{headers:?}");
        };
        let answer = json(&answer);
        assert_eq!(
            (&answer["status"], &answer["result"]["exc_type"]),
            (&status.into(), &kind.into())
        );
    }
}

#[test]
fn tasks_that_cannot_be_done_are_told_and_dead_lettered() {
    for (properties, body, kind) in [
        (task(&[("task", "another")]), body(REQUEST), "NotRegistered"),
        (task(&[]), "{}".to_owned(), "ValueError"),
    ] {
        let verdict = rules(false).judge(&properties, body.as_bytes(), now());
        let Verdict::DeadLetter {
            answer: Some(answer),
            ..
        } = verdict
        else {
            panic!("{verdict:?}");
        };
        assert_eq!(json(&answer)["result"]["exc_type"], kind);
    }
}
