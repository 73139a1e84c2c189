//! ClickHouse over its HTTP interface: one `INSERT … FORMAT JSONEachRow` per segment.
//!
//! The segment's name is its `insert_deduplication_token`, so that a table which deduplicates inserts stores
//! a segment once. The answer comes after the rows were stored (`async_insert=0`, `wait_end_of_query=1`).
//! Fields that the table lacks are skipped.
//!
//! | answer | result |
//! | --- | --- |
//! | 2xx, without an exception in head or body | stored |
//! | an error about the data, with a code of [`DATA`] in the head | refused |
//! | anything else | tried again |

use std::path::PathBuf;

use ureq::Agent;
use url::Url;

use super::{Failure, Receiver, Segment, agent};
use crate::tls::TlsArgs;

/// Codes of ClickHouse's errors about the data that was sent: the same rows would fail again.
const DATA: [u32; 15] = [
    6,   // CANNOT_PARSE_TEXT
    26,  // CANNOT_PARSE_QUOTED_STRING
    27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
    33,  // CANNOT_READ_ALL_DATA
    38,  // CANNOT_PARSE_DATE
    41,  // CANNOT_PARSE_DATETIME
    53,  // TYPE_MISMATCH
    69,  // ARGUMENT_OUT_OF_BOUND
    70,  // CANNOT_CONVERT_TYPE
    72,  // CANNOT_PARSE_NUMBER
    117, // INCORRECT_DATA
    130, // CANNOT_READ_ARRAY_FROM_TEXT
    131, // TOO_LARGE_STRING_SIZE
    349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    467, // CANNOT_PARSE_BOOL
];

/// Beginning of an error that arrives after the head of the answer. Its text may repeat the data, so it is not logged.
const EXCEPTION: &str = "DB::Exception: ";

/// Table of ClickHouse.
pub struct ClickHouse {
    agent: Agent,
    url: Url,
    user: String,
    password_file: Option<PathBuf>,
}

impl ClickHouse {
    /// Prepares to send to `table`, which is a table or `database.table`, of ASCII letters, digits and `_`.
    /// The password is read from its file for each segment.
    ///
    /// # Errors
    /// If the address or the table's name cannot be used, or the address has a password.
    pub fn new(
        url: &str,
        table: &str,
        user: &str,
        password_file: Option<PathBuf>,
        tls: &TlsArgs,
    ) -> Result<ClickHouse, String> {
        let is_name = |part: &str| {
            let mut bytes = part.bytes();
            bytes
                .next()
                .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if !table.split('.').all(is_name) || table.split('.').count() > 2 {
            return Err("--table: a name is database.table, of letters, digits and _".to_owned());
        }
        let expected = "--clickhouse: an address is http://host:8123 or https://host:8443";
        let mut url = Url::parse(url).map_err(|_| expected.to_owned())?;
        let is_https = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(expected.to_owned()),
        };
        if url.password().is_some() {
            return Err("--clickhouse: a password belongs into --password-file".to_owned());
        }
        url.query_pairs_mut()
            .append_pair("query", &format!("INSERT INTO {table} FORMAT JSONEachRow"))
            // A status of 200 must mean that the rows are stored.
            .append_pair("async_insert", "0")
            .append_pair("wait_end_of_query", "1")
            .append_pair("date_time_input_format", "best_effort")
            .append_pair("input_format_skip_unknown_fields", "1")
            .append_pair("input_format_import_nested_json", "1")
            // One block, so that the insert is atomic.
            .append_pair("input_format_parallel_parsing", "0");
        Ok(ClickHouse {
            agent: agent(tls, is_https)?,
            url,
            user: user.to_owned(),
            password_file,
        })
    }
}

impl Receiver for ClickHouse {
    fn send(&mut self, segment: &Segment) -> Result<(), Failure> {
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair("insert_deduplication_token", &segment.name);
        let mut request = self
            .agent
            .post(url.as_str())
            .header("X-ClickHouse-User", &self.user);
        if let Some(file) = &self.password_file {
            let password = std::fs::read_to_string(file)
                .map_err(|why| Failure::Again(format!("{}: {why}", file.display())))?;
            request = request.header("X-ClickHouse-Key", password.trim_end());
        }
        let mut answer = request
            .send(&segment.bytes[..])
            .map_err(|why| Failure::Again(why.to_string()))?;
        let code = answer.headers().get("X-ClickHouse-Exception-Code");
        let code: Option<u32> = code.and_then(|code| code.to_str().ok()?.parse().ok());
        let status = answer.status();
        // Read to its end, so that the connection can be reused.
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        if status.is_success() && code.is_none() && !text.contains(EXCEPTION) {
            return Ok(());
        }
        let why = match code {
            Some(code) => format!("ClickHouse: HTTP {status}, error {code}"),
            None => format!("ClickHouse: HTTP {status}"),
        };
        match code {
            Some(code) if DATA.contains(&code) => Err(Failure::Refused(why)),
            _ => Err(Failure::Again(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        tls: TlsArgs,
    }

    #[test]
    fn a_table_is_a_name_and_no_more() {
        let tls = Line::parse_from(["ship"]).tls;
        let new = |url, table| ClickHouse::new(url, table, "default", None, &tls).map(|_| ());
        assert_eq!(new("http://a:8123", "pick_regno.answers"), Ok(()));
        for table in ["", "a.b.c", "a b", "a;b", "1a", "a."] {
            assert!(new("http://a:8123", table).is_err(), "{table}");
        }
        for url in ["a:8123", "tcp://a", "http://u:secret@a"] {
            let why = new(url, "t").unwrap_err();
            assert!(
                why.starts_with("--clickhouse: ") && !why.contains("secret"),
                "{why}"
            );
        }
    }
}
