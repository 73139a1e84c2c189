//! Texts that are JSON, and texts that are not.

use super::*;
use crate::request::json::{Reader, Value, utf8};

#[test]
fn what_is_not_json_is_refused_where_it_stops_being_so() {
    for (body, expected) in [
        ("", "not JSON from byte 0 on: expected a value"),
        (
            "  {",
            "not JSON from byte 3 on: expected a key in double quotes",
        ),
        ("{\"a\"", "not JSON from byte 4 on: expected `:`"),
        ("{\"a\" 1}", "not JSON from byte 5 on: expected `:`"),
        ("{\"a\":}", "not JSON from byte 5 on: expected a value"),
        ("{\"a\":1", "not JSON from byte 6 on: expected `,` or `}`"),
        (
            "{\"a\":1,}",
            "not JSON from byte 7 on: expected a value after the comma",
        ),
        (
            "{,}",
            "not JSON from byte 1 on: expected a key in double quotes",
        ),
        (
            "{'a':1}",
            "not JSON from byte 1 on: expected a key in double quotes",
        ),
        ("[1 2]", "not JSON from byte 3 on: expected `,` or `]`"),
        (
            "[1,]",
            "not JSON from byte 3 on: expected a value after the comma",
        ),
        ("[]]", "not JSON from byte 2 on: expected nothing more"),
        (
            "{\"a\": NaN}",
            "not JSON from byte 6 on: NaN and Infinity are not JSON; send null",
        ),
        (
            "{\"a\": -Infinity}",
            "not JSON from byte 7 on: expected a digit",
        ),
        (
            "[01]",
            "not JSON from byte 2 on: a number cannot begin with 0",
        ),
        ("[1.]", "not JSON from byte 3 on: expected a digit"),
        ("[+1]", "not JSON from byte 1 on: expected a value"),
        (
            "[\"a\nb\"]",
            "not JSON from byte 3 on: control characters must be escaped in strings",
        ),
        (
            "[\"a",
            "not JSON from byte 3 on: the text ends within a string",
        ),
        ("[\"\\x\"]", "not JSON from byte 2 on: no such escape"),
        (
            "[\"\\u12G4\"]",
            "not JSON from byte 2 on: expected four hexadecimal digits after \\u",
        ),
        (
            "[\"\\ud800\"]",
            "not JSON from byte 2 on: half of a surrogate pair",
        ),
        (
            "[\"\\udc00\\ud800\"]",
            "not JSON from byte 2 on: half of a surrogate pair",
        ),
        (
            "[\"\\ud800\\u0041\"]",
            "not JSON from byte 2 on: half of a surrogate pair",
        ),
        (
            "\u{feff}\u{feff}{}",
            "not JSON from byte 3 on: expected a value",
        ),
        (
            "null",
            "expected an object or an array of objects, not null",
        ),
        (
            "5",
            "expected an object or an array of objects, not a number",
        ),
        (
            "true",
            "expected an object or an array of objects, not a truth value",
        ),
    ] {
        assert_eq!(refusal(body), expected, "{body}");
    }
    assert_eq!(
        refusal(b"{\"a\": \"\xff\"}"),
        "not JSON from byte 7 on: expected UTF-8"
    );
    assert_eq!(
        refusal(b"\"\xd0"),
        "not JSON from byte 1 on: expected UTF-8"
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| {
        with("direction", "0, \"more\": @")
            .replace('@', &["[".repeat(depth), "]".repeat(depth)].concat())
    };
    assert_eq!(read(&nested(127)), read(REQUEST));
    assert!(refusal(nested(128)).ends_with("nested too deeply"));
    assert!(refusal("[".repeat(1 << 20)).ends_with("nested too deeply"));
}

/// Compares the reader with `serde_json`: every text that results from changing, adding or dropping a byte of a body,
/// or truncating it, is JSON to both or to neither.
#[test]
fn the_reader_agrees_with_serde_json() {
    let body = r#"{"a": [1, -0.5e+7, 0, 10E2], "b\u00e9\n": {"c": "\ud83d\ude00Ж\/"}, "d": [true,false , null,[],{}]}"#;
    let mut agreed = [0, 0];
    let mut compare = |bytes: &[u8]| {
        let ours = utf8(bytes).and_then(|text| {
            let mut reader = Reader::new(text);
            if let Value::Array | Value::Object = reader.value()? {
                reader.skip(0)?;
            }
            reader.end()
        });
        let theirs = serde_json::from_slice::<serde_json::Value>(bytes);
        assert_eq!(
            ours.is_ok(),
            theirs.is_ok(),
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
        agreed[usize::from(ours.is_ok())] += 1;
    };
    for at in 0..body.len() {
        compare(&body.as_bytes()[..at]);
        for byte in (0..=255).filter(|byte| !matches!(byte, 0x80..=0xF7)) {
            let mut changed = body.as_bytes().to_vec();
            changed[at] = byte;
            compare(&changed);
            let mut longer = body.as_bytes().to_vec();
            longer.insert(at, byte);
            compare(&longer);
        }
        let mut shorter = body.as_bytes().to_vec();
        shorter.remove(at);
        compare(&shorter);
    }
    assert!(agreed[0] > 1000 && agreed[1] > 1000, "{agreed:?}");
}

#[test]
fn a_byte_order_mark_before_a_body_is_no_fault() {
    for body in [
        REQUEST.to_owned(),
        format!(" [{REQUEST}]"),
        format!("\n{REQUEST}\n"),
    ] {
        let marked = format!("\u{feff}{body}");
        let expected = parse_body(body.as_bytes()).unwrap();
        assert_eq!(parse_body(marked.as_bytes()).unwrap(), expected);
    }
    // Only one mark is skipped, at the beginning; offsets in errors refer to the bytes that were sent.
    for bad in [
        "\u{feff}\u{feff}{}",
        " \u{feff}{}",
        "\u{feff}",
        "{}\u{feff}",
    ] {
        parse_body(bad.as_bytes()).unwrap_err();
    }
    let unmarked = refusal("   {x");
    assert_eq!(refusal("\u{feff}{x"), unmarked);
}
