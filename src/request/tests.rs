//! Tests of requests: accepted bodies, refused bodies, and the texts of errors.

mod text;

use super::*;

const REQUEST: &str = r#"{"regno_recognize": "А939НО196", "afts_regno_ai": "А939НО190", "recognition_accuracy": 6.4, "afts_regno_ai_score": 0.8689166903495789, "afts_regno_ai_char_scores": "[0.75, 0.5]", "afts_regno_ai_length_scores": "[3.2e-10, 1.0]", "camera_type": "Стационарная", "camera_class": "Астра-Трафик", "time_check": "2021-08-01 09:02:59", "direction": 0}"#;

/// Returns [`REQUEST`] with another value of one field.
fn with(field: &str, value: &str) -> String {
    let begin = REQUEST.find(&format!("\"{field}\"")).unwrap() + field.len() + 4;
    let length = match REQUEST[begin..].find(", \"") {
        Some(length) => length,
        None => REQUEST.len() - 1 - begin,
    };
    format!("{}{value}{}", &REQUEST[..begin], &REQUEST[begin + length..])
}

fn read(text: &str) -> Request<'_> {
    parse_object(text.as_bytes()).unwrap_or_else(|invalid| panic!("{text}: {invalid}"))
}

fn refusal(body: impl AsRef<[u8]>) -> String {
    parse_body(body.as_ref()).unwrap_err().to_string()
}

#[test]
fn the_ten_fields_are_read() {
    let request = read(REQUEST);
    let expected = Request {
        regno_recognize: "А939НО196".into(),
        afts_regno_ai: "А939НО190".into(),
        recognition_accuracy: 6.4,
        afts_regno_ai_score: 0.8689166903495789,
        char_scores: Scores::from_slice(&[0.75, 0.5]),
        max_length_score: 1.0,
        camera_type: "Стационарная".into(),
        camera_class: "Астра-Трафик".into(),
        time: "2021-08-01T09:02:59".parse().unwrap(),
        direction: 0.0,
    };
    assert_eq!(request, expected);
    assert!(matches!(request.camera_type, Cow::Borrowed(_)));
}

#[test]
fn the_order_of_fields_their_escapes_and_unknown_ones_change_nothing() {
    let mut fields: Vec<String> = REQUEST[1..REQUEST.len() - 1]
        .split(", \"")
        .map(|field| format!("\"{}", field.trim_start_matches('"')))
        .collect();
    fields.reverse();
    fields.insert(
        3,
        r#""more": {"a": [1, {}, [], "x\n"], "direction": 5, "a": null}"#.to_owned(),
    );
    fields.insert(5, r#""more": -0.5e+7"#.to_owned());
    let text = format!("\n{{ {} }}\t", fields.join("\r\n ,"));
    assert_eq!(read(&text), read(REQUEST));
    let text = REQUEST
        .replace("А", "\\u0410")
        .replace("direction", "\\u0064irection")
        .replace("196", "1\\u00396");
    assert_eq!(read(&text), read(REQUEST));
    let text = with("camera_type", r#""\ud83d\uDE00\/\\\"\b\f\n\r\t""#);
    assert_eq!(read(&text).camera_type, "😀/\\\"\u{8}\u{c}\n\r\t");
}

#[test]
fn numbers_come_as_numbers_strings_truth_values_or_not_at_all() {
    for (value, expected) in [
        ("-1", -1.0),
        ("1e3", 1000.0),
        ("\"1e3\"", 1000.0),
        ("\" 6.4\"", 6.4),
        ("true", 1.0),
        ("false", 0.0),
        ("1e400", f64::INFINITY),
        (
            "123456789012345678901234567890",
            123456789012345678901234567890.0,
        ),
    ] {
        assert_eq!(
            read(&with("direction", value)).direction,
            expected,
            "{value}"
        );
    }
    for value in ["null", "\"\"", "\"None\"", "\"nan\""] {
        assert!(
            read(&with("direction", value)).direction.is_nan(),
            "{value}"
        );
    }
}

#[test]
fn integers_and_truth_values_are_categories_as_catboost_writes_them() {
    for (value, expected) in [
        ("7", "7"),
        ("-3", "-3"),
        ("-0", "0"),
        (
            "123456789012345678901234567890",
            "123456789012345678901234567890",
        ),
        ("true", "1"),
        ("false", "0"),
        ("\"\"", ""),
        ("\" 7 \"", " 7 "),
    ] {
        assert_eq!(
            read(&with("camera_type", value)).camera_type,
            expected,
            "{value}"
        );
        assert_eq!(
            read(&with("camera_class", value)).camera_class,
            expected,
            "{value}"
        );
    }
}

#[test]
fn faults_of_fields_are_named_without_their_values() {
    for (field, value, expected) in [
        (
            "regno_recognize",
            "5",
            "regno_recognize must be a string, not a number",
        ),
        (
            "afts_regno_ai",
            "null",
            "afts_regno_ai must be a string, not null",
        ),
        (
            "recognition_accuracy",
            "\"6,4\"",
            "recognition_accuracy is a string that does not hold a number",
        ),
        (
            "recognition_accuracy",
            "[6.4]",
            "recognition_accuracy must be a number, not an array",
        ),
        (
            "direction",
            "{\"a\": 1}",
            "direction must be a number, not an object",
        ),
        (
            "afts_regno_ai_char_scores",
            "[0.5]",
            "afts_regno_ai_char_scores must be a string that holds a list of numbers, not an array",
        ),
        (
            "afts_regno_ai_char_scores",
            "\"[0.5, secret]\"",
            "afts_regno_ai_char_scores: piece 2 of the list is not a number",
        ),
        (
            "afts_regno_ai_length_scores",
            "\"[0.5,]\"",
            "afts_regno_ai_length_scores: piece 2 of the list is not a number",
        ),
        (
            "camera_type",
            "5.5",
            "camera_type must be a string or an integer, not a number with a fraction or an exponent",
        ),
        (
            "camera_class",
            "null",
            "camera_class must be a string or an integer, not null",
        ),
        (
            "time_check",
            "1627808579",
            "time_check must be a string, not a number",
        ),
        (
            "time_check",
            "\"now\"",
            "time_check must be a date of the calendar in ISO 8601 form, such as YYYY-MM-DD hh:mm:ss",
        ),
    ] {
        assert_eq!(refusal(with(field, value)), expected, "{field} = {value}");
    }
    assert_eq!(
        refusal("{\"direction\": 1, \"direction\": 2, \"direction\": 2, \"camera_type\": null}"),
        "direction is there more than once, regno_recognize is missing, afts_regno_ai is missing, \
         recognition_accuracy is missing, afts_regno_ai_score is missing, afts_regno_ai_char_scores is missing, \
         afts_regno_ai_length_scores is missing, camera_type must be a string or an integer, not null, \
         camera_class is missing, time_check is missing"
    );
}

#[test]
fn arrays_hold_up_to_a_thousand_requests() {
    let array = |count: usize| format!("[{}]", vec![REQUEST; count].join(","));
    for count in [0, 1, 2, 1000] {
        match parse_body(array(count).as_bytes()) {
            Ok(Body::Many(requests)) => assert_eq!(requests.len(), count),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        refusal(array(1001)),
        "an array can hold at most 1000 requests"
    );
}

#[test]
fn bad_elements_are_listed_up_to_ten() {
    let bad = with("direction", "\"x\"");
    assert_eq!(
        refusal(format!("[{REQUEST}, 5, {REQUEST}, [{{}}], {bad}]")),
        "element 1: expected an object, not a number; element 3: expected an object, not an array; \
         element 4: direction is a string that does not hold a number"
    );
    let many = refusal(format!("[{}]", ["null"; 12].join(",")));
    assert!(
        many.ends_with("element 9: expected an object, not null; and 2 more elements"),
        "{many}"
    );
    // A syntax error is not a fault of an element.
    assert_eq!(
        refusal("[5, nul]"),
        "not JSON from byte 4 on: expected a value"
    );
}

#[test]
fn a_json_string_may_hold_the_json() {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let one = quoted(REQUEST);
    assert_eq!(parse_body(one.as_bytes()), parse_body(REQUEST.as_bytes()));
    let array = format!("[{REQUEST},{REQUEST}]");
    assert_eq!(
        parse_body(quoted(&array).as_bytes()),
        parse_body(array.as_bytes())
    );
    assert_eq!(parse_body(b" \"[]\" "), Ok(Body::Many(vec![])));
    for (body, expected) in [
        (
            "\"\"",
            "in the JSON that the string holds: not JSON from byte 0 on: expected a value",
        ),
        (
            "\"\\\"[]\\\"\"",
            "in the JSON that the string holds: expected an object or an array of objects, not a string",
        ),
        (
            "\"[5]\"",
            "in the JSON that the string holds: element 0: expected an object, not a number",
        ),
        ("\"[]\" 1", "not JSON from byte 5 on: expected nothing more"),
    ] {
        assert_eq!(refusal(body), expected, "{body}");
    }
    // Not accepted for lines.
    assert!(parse_object(one.as_bytes()).is_err());
}

#[test]
fn columns_are_read_as_strings_are() {
    let columns = |changed: Field, text: Option<&'static str>| {
        Request::from_columns(|field| match field {
            _ if field == changed => text,
            Field::RegnoRecognize => Some("А939НО196"),
            Field::AftsRegnoAi => Some("А939НО190"),
            Field::RecognitionAccuracy => Some("6.4"),
            Field::AftsRegnoAiScore => Some("0.8689166903495789"),
            Field::AftsRegnoAiCharScores => Some("[0.75, 0.5]"),
            Field::AftsRegnoAiLengthScores => Some("[3.2e-10, 1.0]"),
            Field::CameraType => Some("Стационарная"),
            Field::CameraClass => Some("Астра-Трафик"),
            Field::TimeCheck => Some("2021-08-01 09:02:59"),
            Field::Direction => Some("0"),
        })
    };
    assert_eq!(columns(Field::Direction, Some("0.0")), Ok(read(REQUEST)));
    assert!(
        columns(Field::Direction, Some(""))
            .unwrap()
            .direction
            .is_nan()
    );
    let fault = |result: Result<Request<'_>, Invalid>| result.unwrap_err().to_string();
    assert_eq!(
        fault(columns(Field::TimeCheck, None)),
        "time_check is missing"
    );
    assert_eq!(
        fault(columns(Field::Direction, Some("left"))),
        "direction is a string that does not hold a number"
    );
}

#[test]
fn fields_are_found_by_their_names() {
    for (place, field) in Field::ALL.into_iter().enumerate() {
        assert_eq!(field as usize, place);
        assert_eq!(Field::named(field.name()), Some(field));
    }
    for name in ["", "Direction", "direction ", "regno"] {
        assert_eq!(Field::named(name), None, "{name}");
    }
}

#[test]
fn keys_that_are_nearly_a_name_are_none() {
    for field in Field::ALL {
        let name = field.name();
        for at in 0..name.len() {
            let (before, after) = (&name[..at], &name[at + 1..]);
            for key in [
                format!("{before}#{after}"),
                format!("{before}{after}"),
                format!("{before}\\u{:04x}{after}", name.as_bytes()[at]),
            ] {
                let text = REQUEST.replace(&format!("\"{name}\""), &format!("\"{key}\""));
                let request = parse_object(text.as_bytes());
                match key.contains('\\') {
                    true => assert_eq!(request, Ok(read(REQUEST)), "{key}"),
                    false => assert_eq!(
                        request.unwrap_err().to_string(),
                        format!("{name} is missing"),
                        "{key}"
                    ),
                }
            }
        }
    }
}
