//! Hostile bodies: each is answered with 4xx, promptly, without repeating any of it, and the next request is answered
//! normally.

use crate::support::{Answer, Client, KEY, REQUEST, serve};

/// Marker in place of a plate in every body, which no answer may contain. No message has these letters in sequence.
const MARK: &str = "ЖЩЪ";

/// Fields, each with a value of the right kind.
const FIELDS: [(&str, &str); 10] = [
    ("regno_recognize", "\"ЖЩЪ\""),
    ("afts_regno_ai", "\"ЖЩЪ\""),
    ("recognition_accuracy", "6.4"),
    ("afts_regno_ai_score", "0.8"),
    ("afts_regno_ai_char_scores", "\"[0.9, 0.8]\""),
    ("afts_regno_ai_length_scores", "\"[0.1, 0.9]\""),
    ("camera_type", "\"ЖЩЪ\""),
    ("camera_class", "\"ЖЩЪ\""),
    ("time_check", "\"2021-08-01 09:02:59\""),
    ("direction", "0"),
];

/// Object of all fields, with `field`'s value replaced.
fn with(field: &str, value: &str) -> Vec<u8> {
    let members = FIELDS
        .map(|(name, good)| format!("\"{name}\": {}", if name == field { value } else { good }));
    format!("{{{}}}", members.join(", ")).into_bytes()
}

/// Valid body, to be damaged.
fn good() -> Vec<u8> {
    with("", "")
}

/// Values that no field accepts.
fn taken_by_none() -> Vec<String> {
    [
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "+1",
        ".5",
        "5.",
        "01",
        "0x10",
        "1_000",
        "1e",
        "1e+",
        "--1",
        "-",
        "True",
        "None",
        "nul",
        "undefined",
        "'ЖЩЪ'",
        "ЖЩЪ",
        "[]",
        "{}",
        "[\"ЖЩЪ\"]",
        "{\"ЖЩЪ\": 1}",
        "\"ЖЩЪ",
        "\"ЖЩЪ\\\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u{41}\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud83d\\ud83d\"",
        "\"\\ud83dЖЩЪ\"",
        "\"a\nЖЩЪ\"",
        "\"a\tЖЩЪ\"",
        "\"a\0\"",
        "1 2",
        "/* ЖЩЪ */ 1",
        "",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// JSON values that `field` does not accept.
fn wrong_for(field: &str) -> &'static [&'static str] {
    match field {
        "regno_recognize" | "afts_regno_ai" => &["null", "true", "0", "-1.5", "1e400"],
        "camera_type" | "camera_class" => &["null", "0.5", "1e3", "5.0", "1e400"],
        "afts_regno_ai_char_scores" | "afts_regno_ai_length_scores" => &[
            "null",
            "true",
            "0.5",
            "\"\"",
            "\"[\"",
            "\"ЖЩЪ\"",
            "\"[ЖЩЪ]\"",
            "\"[0.9,]\"",
            "\"[,0.9]\"",
            "\"[0.9;0.8]\"",
            "\"[[0.9]]\"",
            "\"[0.9, ЖЩЪ]\"",
            "\"[0x1]\"",
            "\"[1__0]\"",
            "\"[_1]\"",
            "\"[1 2]\"",
            "\"[null]\"",
            "\"[\\u0000]\"",
        ],
        "time_check" => &[
            "null",
            "true",
            "1627808579",
            "\"\"",
            "\"ЖЩЪ\"",
            "\"now\"",
            "\"01.08.2021\"",
            "\"2021-02-29\"",
            "\"2021-13-01\"",
            "\"2021-08-01 25:00\"",
            "\"0000-01-01\"",
            "\"2021-08-01T09:02:59+3\"",
            "\"2021-08-01\\u0000\"",
            "\"99999-01-01\"",
            "\"２０２１-08-01\"",
        ],
        _ => &[
            "\"ЖЩЪ\"",
            "\"6,4\"",
            "\"6.4 \"",
            "\"inf\"",
            "\"0x10\"",
            "\"1_0\"",
            "\"--1\"",
            "\"٣\"",
            "\"1e\"",
            "\"\\u0000\"",
        ],
    }
}

/// Bodies, each with a name.
fn cases() -> Vec<(String, Vec<u8>)> {
    let mut cases = Vec::new();
    let mut case = |name: String, body: Vec<u8>| cases.push((name, body));
    for (field, good_value) in FIELDS {
        for value in taken_by_none() {
            case(format!("{field}: {value:?}"), with(field, &value));
        }
        for value in wrong_for(field) {
            case(format!("{field}: {value}"), with(field, value));
        }
        let twice = format!("{good_value}, \"{field}\": {good_value}");
        case(format!("{field} twice"), with(field, &twice));
        let escaped = format!(
            "{good_value}, \"\\u{:04x}{}\": {good_value}",
            u32::from(field.as_bytes()[0]),
            &field[1..]
        );
        case(
            format!("{field} twice, once in escapes"),
            with(field, &escaped),
        );
        let without = FIELDS
            .iter()
            .filter(|(name, _)| *name != field)
            .map(|(name, value)| format!("\"{name}\": {value}"))
            .collect::<Vec<_>>()
            .join(", ");
        case(format!("no {field}"), format!("{{{without}}}").into_bytes());
        case(
            format!("{field} in another case"),
            format!("{{{without}, \"{}\": {good_value}}}", field.to_uppercase()).into_bytes(),
        );
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        case(format!("{field}: 10,000 arrays deep"), with(field, &deep));
        let odd = format!("\"{}", "\\ud83d".repeat(1000));
        case(format!("{field}: many halves of pairs"), with(field, &odd));
    }

    let good = good();
    for end in 0..good.len() {
        case(format!("the first {end} bytes"), good[..end].to_vec());
    }
    for (name, tail) in [
        ("another object", &b"{}"[..]),
        ("a comma", b","),
        ("a brace", b"}"),
        ("NUL", b"\0"),
        ("a word", "ЖЩЪ".as_bytes()),
        ("a comment", b"// no"),
        ("half a character", b"\xd0"),
    ] {
        case(format!("{name} after the end"), [&good[..], tail].concat());
        case(
            format!("{name} before the begin"),
            [tail, &good[..]].concat(),
        );
    }
    for (at, byte) in (0..good.len())
        .step_by(7)
        .zip([0xff, 0xc0, 0x80, 0xed, 0xf5].iter().cycle())
    {
        let mut spoilt = good.clone();
        spoilt.insert(at, *byte);
        case(format!("byte {byte:#x} at {at}"), spoilt);
    }

    let text = String::from_utf8(good.clone()).unwrap();
    let utf16 =
        |encode: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(encode).collect::<Vec<u8>>();
    case("UTF-16, little end first".into(), utf16(u16::to_le_bytes));
    case("UTF-16, big end first".into(), utf16(u16::to_be_bytes));
    case(
        "UTF-32".into(),
        text.chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect(),
    );
    case(
        "two byte order marks".into(),
        format!("\u{feff}\u{feff}{text}").into_bytes(),
    );
    case(
        "gzip".into(),
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\x02\0\0\0".to_vec(),
    );
    for (name, body) in [
        ("nothing", String::new()),
        ("blanks", " \r\n\t".repeat(1000)),
        ("a vertical tab", format!("\u{b}{text}")),
        ("null", "null".into()),
        ("true", "true".into()),
        ("a number", "1e9999".into()),
        ("a string", "\"ЖЩЪ\"".into()),
        ("an empty string", "\"\"".into()),
        ("an array of null", "[null]".into()),
        ("an array in an array", format!("[[{text}]]")),
        ("an array with a comma too much", format!("[{text},]")),
        ("an array without a comma", format!("[{text} {text}]")),
        ("an array that does not end", format!("[{text}")),
        ("an array with one bad element", format!("[{text}, {{}}]")),
        (
            "an array of 1,001",
            format!("[{}]", vec![text.as_str(); 1001].join(",")),
        ),
        (
            "an array of a million numbers",
            format!("[{}1]", "1,".repeat(900_000)),
        ),
        (
            "an array of many empty objects",
            format!("[{}{{}}]", "{},".repeat(999)),
        ),
        ("twice in strings", quoted(&quoted(&text))),
        ("a string with broken JSON", quoted(&text[..60])),
        (
            "a string with a field too little",
            quoted("{\"direction\": 0}"),
        ),
        ("open braces", "{\"a\":".repeat(100_000)),
        ("open brackets", "[".repeat(1_000_000)),
        ("open quotes", "\"".repeat(100_001)),
        ("backslashes", format!("\"{}", "\\".repeat(1_000_001))),
        (
            "a field of a megabyte",
            format!("{{\"{}\": 0}}", "ЖЩЪ".repeat(170_000)),
        ),
        (
            "a value of a megabyte",
            format!("{{\"direction\": \"{}\"}}", "ЖЩЪ".repeat(170_000)),
        ),
        (
            "a number of a megabyte",
            format!("{{\"regno_recognize\": 1{}}}", "0".repeat(1_000_000)),
        ),
        ("100,000 unknown fields", {
            let members: Vec<_> = (0..100_000).map(|n| format!("\"{n}\":{n}")).collect();
            format!("{{{}}}", members.join(","))
        }),
        (
            "10,000 times the same field",
            format!("{{{}\"direction\":0}}", "\"direction\":0,".repeat(10_000)),
        ),
        ("markup", "<ЖЩЪ/>".into()),
        ("a form", "regno_recognize=ЖЩЪ&direction=0".into()),
        ("YAML", "regno_recognize: ЖЩЪ\ndirection: 0\n".into()),
        ("two lines", format!("{text}\n{text}\n")),
    ] {
        case(name.into(), body.into_bytes());
    }
    cases
}

/// Returns `text` as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn post(client: &mut Client, body: &[u8]) -> Answer {
    client.send(format!(
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    ));
    client.send(body);
    client.answer()
}

#[test]
fn all_are_refused_and_none_is_repeated() {
    let server = serve(&["--workers", "1"]);
    let mut client = server.connect();
    let good = post(&mut client, &good());
    assert_eq!(good.status, 200, "what is spoilt is good: {}", good.text());
    let cases = cases();
    assert!(cases.len() >= 300);
    for (name, body) in &cases {
        let answer = post(&mut client, body);
        let text = answer.text();
        assert_eq!(answer.status, 400, "{name}: {text}");
        assert!(
            text.starts_with("{\"body\":\"Bad request: "),
            "{name}: {text}"
        );
        assert!(
            text.ends_with("\",\"status\":\"fail\"}\n"),
            "{name}: {text}"
        );
        assert!(
            text.len() < 4096,
            "{name}: an answer of {} bytes",
            text.len()
        );
        assert!(
            !MARK.chars().any(|symbol| text.contains(symbol)),
            "{name} is repeated: {text}"
        );
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
    assert_eq!(post(&mut client, REQUEST.as_bytes()).status, 200);
    assert_eq!(server.metric("http_server_panics_total"), 0.0);
    assert_eq!(
        server.metric("http_server_connections_accepted_total"),
        1.0,
        "one connection went through it all"
    );
    // Not one of them took the server long; the bound is wide, for machines that are slow and busy.
    let within = "http_server_request_duration_seconds_bucket{route=\"/reg/\",method=\"POST\",status=\"400\",le=\"5\"}";
    assert_eq!(server.metric(within), cases.len() as f64);
    eprintln!("{} bodies refused", cases.len());
}

#[test]
fn what_is_odd_but_right_is_answered() {
    let server = serve(&[]);
    for body in [
        with("regno_recognize", "\"\""),
        with("regno_recognize", "\"\\u0000\\ud83d\\ude00\u{2028}\""),
        with("regno_recognize", &format!("\"{}\"", "А".repeat(100_000))),
        with("direction", "-0"),
        with("direction", "1e400"),
        with("direction", &"9".repeat(10_000)),
        with("direction", "0, \"unknown\": [[[{\"direction\": 1}]]]"),
        with("camera_type", "-12345678901234567890"),
        format!(
            "[{}]",
            vec![String::from_utf8(good()).unwrap(); 1000].join("\n,")
        )
        .into_bytes(),
        b"[]".to_vec(),
        quoted(&String::from_utf8(good()).unwrap()).into_bytes(),
    ] {
        let answer = post(&mut server.connect(), &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}
