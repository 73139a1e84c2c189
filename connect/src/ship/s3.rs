//! S3: one object per segment, in a folder per day.
//!
//! Objects are put with a signed address (`rusty_s3`), in path style:
//! `https://host/bucket/prefix/DAY/SEGMENT.ndjson`. A segment that is sent again replaces its object by the
//! same bytes.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` | credentials, read at the start; no session token |
//! | `AWS_REGION` | region of the signature; `us-east-1` if it is not set |

use std::time::Duration;

use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use ureq::Agent;
use url::Url;

use super::{Failure, Receiver, Segment, agent};
use crate::tls::TlsArgs;

/// Lifetime of a signature. Each attempt is signed anew.
const SIGNED_FOR: Duration = Duration::from_secs(300);

/// Bucket, with the prefix of object names.
pub struct S3 {
    agent: Agent,
    bucket: Bucket,
    prefix: String,
    credentials: Credentials,
}

impl S3 {
    /// Prepares to send to `https://host/bucket/prefix`; the prefix may be empty. Nothing is sent yet.
    ///
    /// # Errors
    /// If the address cannot be used, or a variable with the credentials is not set.
    pub fn new(url: &str, tls: &TlsArgs) -> Result<S3, String> {
        let expected = "--s3: an address is https://host/bucket/prefix";
        let mut url = Url::parse(url).map_err(|_| expected.to_owned())?;
        let path = url.path().trim_matches('/').to_owned();
        let (bucket, prefix) = path.split_once('/').unwrap_or((&path, ""));
        if !matches!(url.scheme(), "http" | "https") || bucket.is_empty() {
            return Err(expected.to_owned());
        }
        url.set_path("/");
        let variable = |name: &str| {
            std::env::var(name).map_err(|_| format!("--s3: the variable {name} is not set"))
        };
        let region = std::env::var("AWS_REGION").unwrap_or_else(|_| "us-east-1".to_owned());
        let agent = agent(tls, url.scheme() == "https")?;
        let bucket = Bucket::new(url, UrlStyle::Path, bucket.to_owned(), region)
            .map_err(|why| format!("--s3: {why}"))?;
        Ok(S3 {
            agent,
            bucket,
            prefix: prefix.to_owned(),
            credentials: Credentials::new(
                variable("AWS_ACCESS_KEY_ID")?,
                variable("AWS_SECRET_ACCESS_KEY")?,
            ),
        })
    }

    /// Returns `prefix/2026-11-30/SEGMENT.ndjson`, by the day (UTC) on which the segment was begun. A name
    /// that does not begin with seconds has the day 1970-01-01.
    fn key(&self, segment: &str) -> String {
        let seconds = segment
            .split('-')
            .next()
            .and_then(|seconds| seconds.parse().ok());
        let begun = seconds.and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
        let day = begun.unwrap_or_default().date_naive();
        match &*self.prefix {
            "" => format!("{day}/{segment}.ndjson"),
            prefix => format!("{prefix}/{day}/{segment}.ndjson"),
        }
    }
}

impl Receiver for S3 {
    fn send(&mut self, segment: &Segment) -> Result<(), Failure> {
        let key = self.key(&segment.name);
        let url = self
            .bucket
            .put_object(Some(&self.credentials), &key)
            .sign(SIGNED_FOR);
        let mut answer = self
            .agent
            .put(url.as_str())
            .header("content-type", "application/x-ndjson")
            .send(&segment.bytes[..])
            // The address contains a signature, so it is not logged.
            .map_err(|why| Failure::Again(format!("S3: {why}")))?;
        let status = answer.status();
        let _ = answer.body_mut().read_to_string();
        match status.as_u16() {
            200..300 => Ok(()),
            // S3 refuses for credentials, the bucket or its own state: never for the contents of an object.
            _ => Err(Failure::Again(format!("S3: HTTP {status}"))),
        }
    }
}
