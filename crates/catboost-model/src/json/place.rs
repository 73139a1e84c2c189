//! Place of an error in a document.
//!
//! `serde_json` tells the line and the column, a person looks for the path. The crate `serde_path_to_error` records it while
//! it reads, with 0.16 MB of code for this document.

use std::ops::Range;

/// Object or array that is open, and the entry that is read.
enum Open {
    /// Bytes of the key, without its quotation marks.
    Object(Option<Range<usize>>),
    /// Index of the element.
    Array(usize),
}

/// Maximum number of objects and arrays, inside each other, that a path names.
const MOST_OPEN: usize = 128;
/// Maximum length of a key in a path, in bytes.
const MOST_KEY: usize = 128;

/// Returns the path of the value that an error is about, like `trees[3].leaf_values[0]`; `.` is the document. It may end
/// early, at an object or array around the value.
pub(super) fn path(text: &[u8], error: &serde_json::Error) -> String {
    let lines = text.split_inclusive(|&byte| byte == b'\n');
    let before: usize = lines
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    // The column is that of the last byte that was read.
    let last = (before + error.column()).saturating_sub(1).min(text.len());
    let mut open = entries(&text[..last]);
    let read = &text[..text.len().min(last + 1)];
    // An error about a value as a whole has no position until an object or array around it has read on.
    let is_about_a_whole =
        error.is_data() && matches!(read.trim_ascii_end().last(), Some(b'}' | b']' | b','));
    if is_about_a_whole {
        open.pop();
    }
    let mut path = String::new();
    for entry in &open {
        match entry {
            Open::Object(Some(key)) => {
                if !path.is_empty() {
                    path.push('.');
                }
                let key = &text[key.clone()];
                path += &String::from_utf8_lossy(&key[..key.len().min(MOST_KEY)]);
            }
            Open::Object(None) => {}
            Open::Array(index) => path += &format!("[{index}]"),
        }
    }
    if path.is_empty() {
        ".".to_owned()
    } else {
        path
    }
}

/// Returns the objects and arrays that are open at the end of a text, the outer [`MOST_OPEN`] of them.
fn entries(text: &[u8]) -> Vec<Open> {
    let mut open = Vec::new();
    // Number of those that are left out.
    let mut deeper = 0;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        let is_full = open.len() == MOST_OPEN;
        match (byte, open.last_mut()) {
            (b'{' | b'[', _) if is_full => deeper += 1,
            (b'}' | b']', _) if deeper > 0 => deeper -= 1,
            (b'"', _) if deeper > 0 => at = end_of_string(text, at) + 1,
            _ if deeper > 0 => {}
            (b'{', _) => open.push(Open::Object(None)),
            (b'[', _) => open.push(Open::Array(0)),
            (b'}' | b']', _) => drop(open.pop()),
            (b',', Some(Open::Object(key))) => *key = None,
            (b',', Some(Open::Array(index))) => *index += 1,
            (b'"', last) => {
                let string = at..end_of_string(text, at);
                at = string.end + 1;
                if let Some(Open::Object(key @ None)) = last {
                    *key = Some(string);
                }
            }
            _ => {}
        }
    }
    open
}

/// Returns the index of the quotation mark that ends a string.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::path;

    type Document = BTreeMap<String, Vec<BTreeMap<String, u8>>>;

    #[test]
    fn the_path_is_that_of_the_value_that_is_wrong() {
        let deep = format!("{{\"a\": 1{}", "[".repeat(1_000_000));
        for (text, expected) in [
            ("", "."),
            ("[]", "."),
            ("{\"a\": 1}", "a"),
            ("{\"a\": }", "a"),
            ("{\"a\": [{\"b\": nul}]}", "a[0].b"),
            ("{\"a\": [{}, {\"b\": 1,\n \"c\": -1}]}", "a[1].c"),
            (
                "{\"a\": [{\"]}\\\"\\\\\": 256, \"b\": 1}]}",
                "a[0].]}\\\"\\\\",
            ),
            (
                "{\"a\": [{\"b\": 1}],\n\n\"b\": [{\"b\": 1}, {}, 7]}",
                "b[2]",
            ),
            ("{\"a\": [], \"b\": [{\"c\": ", "b[0].c"),
            ("{\"a\": [{}, [2]]}", "a"),
            (&deep, "a"),
        ] {
            let error = serde_json::from_str::<Document>(text).expect_err("it is wrong");
            assert_eq!(path(text.as_bytes(), &error), expected, "{text:.80}");
        }
    }

    #[test]
    fn a_path_is_short_whatever_the_document() {
        for unread in [
            "[".repeat(1_000_000),
            "{\"x\":".repeat(1_000_000),
            format!("{{\"{}", "x".repeat(1_000_000)),
        ] {
            let text = format!("{{\"unread\": {unread}");
            let error = serde_json::from_str::<Ignored>(&text).expect_err("it is cut short");
            assert!(path(text.as_bytes(), &error).len() < 600, "{text:.80}");
        }
    }

    #[derive(Debug, serde::Deserialize)]
    struct Ignored {}
}
