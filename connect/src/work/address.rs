//! Address of a broker: `amqp://user:password@host:port/vhost`, or `amqps://` for TLS.
//!
//! | part | default |
//! | --- | --- |
//! | user, password | `guest` |
//! | port | 5672, with TLS 5671 |
//! | vhost | `/` |
//!
//! User, password and vhost are percent-decoded; `/%2F` is the vhost `/`, too.

use std::path::Path;

use amqprs::connection::OpenConnectionArguments;
use amqprs::tls::TlsAdaptor;
use percent_encoding::percent_decode_str;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::tls::TlsArgs;

/// Broker with credentials.
#[derive(Debug)]
pub struct Address {
    host: String,
    port: u16,
    user: String,
    password: String,
    vhost: String,
    tls: bool,
}

impl Address {
    /// Parses an address. Missing parts have RabbitMQ's defaults.
    ///
    /// # Errors
    /// A sentence that does not repeat the address, which may contain a password.
    pub fn read(text: &str) -> Result<Address, String> {
        let expected = "an address is amqp://user:password@host:port/vhost, or amqps:// for TLS";
        let url = Url::parse(text).map_err(|_| expected.to_owned())?;
        let tls = match url.scheme() {
            "amqp" => false,
            "amqps" => true,
            _ => return Err(expected.to_owned()),
        };
        let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let host = url.host_str().filter(|host| !host.is_empty());
        let vhost = match url.path() {
            "" | "/" => "/".to_owned(),
            path => decode(&path[1..]),
        };
        Ok(Address {
            host: host.ok_or(expected)?.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(if tls { 5671 } else { 5672 }),
            user: match url.username() {
                "" => "guest".to_owned(),
                user => decode(user),
            },
            password: url.password().map_or_else(|| "guest".to_owned(), decode),
            vhost,
            tls,
        })
    }

    /// Host and port, for the log.
    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Returns the arguments of a connection. Files are read again each time. `heartbeat` is in seconds; a
    /// password file replaces the password of the address, without line ends at its end.
    ///
    /// # Errors
    /// If a file cannot be used.
    /// The text names the file.
    pub fn arguments(
        &self,
        heartbeat: u16,
        password_file: Option<&Path>,
        tls: &TlsArgs,
    ) -> Result<OpenConnectionArguments, String> {
        let password = match password_file {
            None => self.password.clone(),
            Some(file) => std::fs::read_to_string(file)
                .map_err(|why| format!("--password-file {}: {why}", file.display()))?
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
        };
        let mut arguments =
            OpenConnectionArguments::new(&self.host, self.port, &self.user, &password);
        arguments
            .virtual_host(&self.vhost)
            .heartbeat(heartbeat)
            .connection_name("pick-regno-connect");
        if self.tls {
            let connector = TlsConnector::from(tls.client()?);
            arguments.tls_adaptor(TlsAdaptor::new(connector, self.host.clone()));
        }
        Ok(arguments.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_defaults_and_escapes() {
        let address = Address::read("amqp://rabbit").unwrap();
        assert_eq!(address.server(), "rabbit:5672");
        assert_eq!(
            (&*address.user, &*address.password, &*address.vhost),
            ("guest", "guest", "/")
        );
        let address = Address::read("amqps://a%40b:p%2Fw@[::1]:1234/plates%2F1").unwrap();
        assert_eq!(
            (&*address.host, address.port, address.tls),
            ("::1", 1234, true)
        );
        assert_eq!((&*address.user, &*address.password), ("a@b", "p/w"));
        assert_eq!(address.vhost, "plates/1");
        assert_eq!(Address::read("amqps://x/%2F").unwrap().vhost, "/");
    }

    #[test]
    fn no_error_repeats_a_password() {
        for text in [
            "http://a:secret@b",
            "amqp://",
            "a:secret@b",
            "amqp://a:secret@:x",
        ] {
            let why = Address::read(text).unwrap_err();
            assert!(why.starts_with("an address is"), "{why}");
        }
    }
}
