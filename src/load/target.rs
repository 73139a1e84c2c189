//! Destination of requests, and the API key that they carry.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;

use hyper::Uri;

use crate::serve::settings::keys::{KEYS_VARIABLE, keys_of_file, read_variable, secret};

/// Service that requests are sent to.
#[derive(Debug)]
pub(super) struct Target {
    addresses: Vec<SocketAddr>,
    /// Head of requests without the content length.
    head: String,
}

/// Reason why a URL or a key cannot be used. Names the source, and never the value of a key.
#[derive(Debug)]
pub(super) struct TargetError(String);

impl fmt::Display for TargetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Target {
    /// Resolves the host of `url` once.
    pub(super) fn new(url: &str, key: Option<&str>) -> Result<Target, TargetError> {
        let error = |why: &dyn fmt::Display| TargetError(format!("--url {url}: {why}"));
        let uri: Uri = url.parse().map_err(|why| error(&why))?;
        if uri.scheme_str() != Some("http") {
            return Err(error(&"must begin with http://"));
        }
        let authority = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@'))
            .ok_or_else(|| error(&"must be a host, without a user"))?;
        let host = authority.host();
        let port = match authority.port_u16() {
            Some(port) => port,
            None if authority.as_str() == host => 80,
            None => return Err(error(&"the port must be a number up to 65535")),
        };
        // IPv6 addresses have brackets only in URLs.
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let addresses: Vec<SocketAddr> = (name, port)
            .to_socket_addrs()
            .map_err(|why| error(&format_args!("cannot find the host: {why}")))?
            .collect();
        if addresses.is_empty() {
            return Err(error(&"the host has no address"));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\n"
        );
        if let Some(key) = key {
            head += &format!("x-api-key: {key}\r\n");
        }
        Ok(Target { addresses, head })
    }

    /// Addresses of the service. Connections are made to the first that accepts.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Builds a complete request.
    pub(super) fn request(&self, body: &[u8]) -> Vec<u8> {
        let mut request =
            format!("{}content-length: {}\r\n\r\n", self.head, body.len()).into_bytes();
        request.extend_from_slice(body);
        request
    }
}

/// Returns the first key of `file`, or else of `PICK_REGNO_API_KEYS` (separated by commas). Both are read as the
/// service reads them.
pub(super) fn key(file: Option<&Path>) -> Result<Option<String>, TargetError> {
    if let Some(file) = file {
        let keys = keys_of_file(file).map_err(TargetError)?;
        return Ok(keys.into_iter().next());
    }
    let text = secret(KEYS_VARIABLE).map_err(|why| TargetError(why.to_string()))?;
    let keys = text.as_deref().map(read_variable).transpose();
    Ok(keys
        .map_err(TargetError)?
        .and_then(|keys| keys.into_iter().next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole() {
        let target = Target::new("http://127.0.0.1:81/reg/?a=b", Some("secret")).unwrap();
        assert_eq!(target.addresses(), ["127.0.0.1:81".parse().unwrap()]);
        assert_eq!(
            String::from_utf8(target.request(b"{}")).unwrap(),
            "POST /reg/?a=b HTTP/1.1\r\nhost: 127.0.0.1:81\r\ncontent-type: application/json\r\n\
             x-api-key: secret\r\ncontent-length: 2\r\n\r\n{}"
        );
        let target = Target::new("http://[::1]", None).unwrap();
        assert_eq!(target.addresses(), ["[::1]:80".parse().unwrap()]);
        assert!(!target.head.contains("x-api-key"));
    }

    #[test]
    fn urls_that_cannot_be_used_say_why() {
        for (url, expected) in [
            ("127.0.0.1:5000", "must begin with http://"),
            ("/reg/", "must begin with http://"),
            ("https://127.0.0.1/", "must begin with http://"),
            ("http://a@127.0.0.1/", "must be a host, without a user"),
            (
                "http://127.0.0.1:99999/",
                "the port must be a number up to 65535",
            ),
            ("http://", "--url http://: "),
        ] {
            let error = Target::new(url, None).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
