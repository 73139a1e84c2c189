//! Address and key of a Sentry project: `https://KEY@HOST[:PORT][/PATH]/PROJECT`.

/// Parsed DSN. It has no `Debug`, so that the key does not get into a text by accident.
pub(super) struct Dsn {
    pub(super) is_https: bool,
    pub(super) key: String,
    /// Host name or address; an IPv6 address has no brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Path for envelopes: `[/PATH]/api/PROJECT/envelope/`.
    pub(super) path: String,
}

const SHAPE: &str = "a DSN is http or https://KEY@HOST/PROJECT";

impl Dsn {
    /// Parses `text`. An error describes the fault without repeating the text.
    pub(super) fn read(text: &str) -> Result<Dsn, String> {
        let wrong = |what: &str| format!("{what}; {SHAPE}");
        let (scheme, rest) = text.split_once("://").ok_or(wrong("no scheme"))?;
        let (is_https, default_port) = match scheme {
            "https" => (true, 443),
            "http" => (false, 80),
            _ => return Err(wrong("the scheme is neither http nor https")),
        };
        let (user, rest) = rest.split_once('@').ok_or(wrong("no key"))?;
        // Old DSNs have a secret after the key, which is no longer used.
        let key = user.split(':').next().unwrap_or(user);
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(wrong("the key must be letters and digits"));
        }
        let (authority, path) = rest.split_once('/').ok_or(wrong("no project"))?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().map_err(|_| wrong("the port is no number"))?;
                (host, port)
            }
            _ => (authority, default_port),
        };
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let is_sane = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_sane) {
            return Err(wrong("the host is no name and no address"));
        }
        let (before, project) = path.rsplit_once('/').unwrap_or(("", path));
        if project.is_empty() || !project.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong("the project must be a number"));
        }
        if !before.bytes().all(|byte| is_sane(byte) || byte == b'/') {
            return Err(wrong("the path holds what a path cannot"));
        }
        let before = match before {
            "" => String::new(),
            before => format!("/{before}"),
        };
        Ok(Dsn {
            is_https,
            key: key.to_owned(),
            host: host.to_owned(),
            port,
            path: format!("{before}/api/{project}/envelope/"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_found() {
        for (text, is_https, host, port, path) in [
            (
                "https://abc@o1.ingest.sentry.io/42",
                true,
                "o1.ingest.sentry.io",
                443,
                "/api/42/envelope/",
            ),
            (
                "http://abc:secret@10.0.0.1:9000/a/b/7",
                false,
                "10.0.0.1",
                9000,
                "/a/b/api/7/envelope/",
            ),
            (
                "http://abc@[::1]:9000/7",
                false,
                "::1",
                9000,
                "/api/7/envelope/",
            ),
            ("http://abc@[::1]/7", false, "::1", 80, "/api/7/envelope/"),
        ] {
            let dsn = Dsn::read(text).unwrap();
            assert_eq!(
                (dsn.is_https, &*dsn.host, dsn.port, &*dsn.path, &*dsn.key),
                (is_https, host, port, path, "abc"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_and_not_repeated() {
        for (text, part) in [
            ("abc", "no scheme"),
            ("ftp://abc@secret/1", "neither http nor https"),
            ("https://secret.io/1", "no key"),
            ("https://@secret.io/1", "the key must be"),
            ("https://a\nb@secret.io/1", "the key must be"),
            ("https://abc@secret.io", "no project"),
            ("https://abc@secret.io/x", "the project must be"),
            ("https://abc@secret.io:http/1", "the port is"),
            ("https://abc@/1", "the host is"),
            ("https://abc@secret\r\nx: y/1", "the port is"),
            ("https://abc@secret\r\nx/1", "the host is"),
            ("https://abc@secret.io/a b/1", "the path holds"),
        ] {
            let error = Dsn::read(text).err().unwrap();
            assert!(error.starts_with(part) || error.contains(part), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
