//! Cache of the last head: most clients send the same one over and over, and only the body's length differs.

use super::head::{BodyFraming, Head, Refusal, read_decimal, read_head};

/// Maximum length of a cached head in bytes: each connection has its own.
const LONGEST: usize = 1024;

/// Last valid head of a connection, so that an equal one need not be parsed.
#[derive(Debug, Default)]
pub(crate) struct LastHead {
    /// Text without the digits of `Content-Length`; empty if there is no head yet, or it was too long.
    text: Vec<u8>,
    /// Offset of those digits; `None` if it had none.
    length_at: Option<usize>,
    /// True if its body was chunked.
    chunked: bool,
    /// True if it has a line `Upgrade`.
    upgrade: bool,
}

impl LastHead {
    /// Same result as [`read_head`] on `bytes`. `max` must be the same each time.
    pub(crate) fn read(&mut self, bytes: &[u8], max: usize) -> Result<Head, Refusal> {
        if let Some(head) = self.recognize(bytes, max) {
            return Ok(head);
        }
        let head = read_head(bytes, max)?;
        if let Head::Complete {
            len,
            body,
            length_at,
            upgrade,
        } = head
        {
            self.keep(&bytes[..len], body, length_at);
            self.upgrade = upgrade;
        }
        Ok(head)
    }

    /// Returns the head at the beginning of `bytes`, if it equals the last one except for its length.
    fn recognize(&self, bytes: &[u8], max: usize) -> Option<Head> {
        if self.text.is_empty() {
            return None;
        }
        let (before, after) = self
            .text
            .split_at(self.length_at.unwrap_or(self.text.len()));
        let mut rest = bytes.strip_prefix(before)?;
        let body = match (self.chunked, self.length_at) {
            (true, _) => BodyFraming::Chunked,
            (false, None) => BodyFraming::Length(0),
            (false, Some(_)) => {
                let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
                let length = read_decimal(&rest[..digits])?;
                rest = rest[digits..].strip_prefix(after)?;
                BodyFraming::Length(length)
            }
        };
        let len = bytes.len() - rest.len();
        (len <= max).then_some(Head::Complete {
            len,
            body,
            length_at: self.length_at,
            upgrade: self.upgrade,
        })
    }

    fn keep(&mut self, head: &[u8], body: BodyFraming, length_at: Option<usize>) {
        self.text.clear();
        if head.len() > LONGEST {
            return;
        }
        let before = length_at.unwrap_or(head.len());
        let is_digit = |byte: &&u8| byte.is_ascii_digit();
        let digits = head[before..].iter().take_while(is_digit).count();
        self.text.extend_from_slice(&head[..before]);
        self.text.extend_from_slice(&head[before + digits..]);
        self.length_at = length_at;
        self.chunked = body == BodyFraming::Chunked;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 200;
    const HEADS: [&str; 8] = [
        "POST /reg/ HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nX-Api-Key: b\r\n\r\n",
        "\r\nPOST /reg/ HTTP/1.1\r\nhost: a\r\ncontent-length:\t7 \r\n\r\n",
        "POST /reg/ HTTP/1.1\r\nHost: a\r\nX: y\r\nContent-Length: 012\r\n\r\n",
        "POST /reg/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\n",
    ];

    /// Checks that `bytes` read after `last` give the same result as by themselves.
    fn agrees(last: &str, bytes: &[u8]) {
        let mut heads = LastHead::default();
        let _ = heads.read(last.as_bytes(), MAX);
        let by_itself = read_head(bytes, MAX);
        let text = String::from_utf8_lossy(bytes);
        for time in ["first", "second"] {
            assert_eq!(
                heads.read(bytes, MAX),
                by_itself,
                "{time} {text:?} after {last:?}"
            );
        }
    }

    #[test]
    fn what_was_read_before_changes_nothing() {
        for last in HEADS {
            for head in HEADS {
                agrees(last, format!("{head}Content-Length: 5\r\n\r\n").as_bytes());
                for end in 0..=head.len() {
                    agrees(last, &head.as_bytes()[..end]);
                }
            }
            for at in 0..last.len() {
                for byte in *b"\r\n\t :/059aZ\0\x7f\x80" {
                    let mut changed = last.as_bytes().to_vec();
                    changed[at] = byte;
                    agrees(last, &changed);
                    changed.insert(at, byte);
                    agrees(last, &changed);
                }
            }
            for length in ["", "0", "999999999999999999", "1000000000000000000", "-1"] {
                let other = last.replacen("12", length, 1);
                agrees(last, other.as_bytes());
            }
        }
    }

    #[test]
    fn the_same_head_with_another_length_is_recognized() {
        let head = |length: &str| HEADS[0].replacen("12", length, 1);
        let mut heads = LastHead::default();
        assert_eq!(heads.recognize(HEADS[0].as_bytes(), MAX), None);
        heads.read(HEADS[0].as_bytes(), MAX).unwrap();
        let longer = head("12345") + "body";
        assert_eq!(
            heads.recognize(longer.as_bytes(), MAX),
            Some(Head::Complete {
                len: longer.len() - 4,
                body: BodyFraming::Length(12345),
                length_at: Some(46),
                upgrade: false,
            })
        );
        // A head that is too long by one digit of its length.
        let longest = HEADS[0].len();
        assert!(heads.recognize(HEADS[0].as_bytes(), longest).is_some());
        assert_eq!(heads.recognize(head("123").as_bytes(), longest), None);
    }

    #[test]
    fn a_long_head_is_not_kept() {
        let long = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "y".repeat(LONGEST)
        );
        let mut heads = LastHead::default();
        heads.read(HEADS[4].as_bytes(), 8192).unwrap();
        heads.read(long.as_bytes(), 8192).unwrap();
        assert!(heads.text.is_empty());
        assert!(heads.text.capacity() <= LONGEST);
    }
}
