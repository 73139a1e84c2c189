//! Cursor over the unread part of a file.
//!
//! It reads the parts of a `.cbm` that are no flatbuffers, in the forms of CatBoost's `util/ysaveload.h`:
//!
//! | form | bytes |
//! | --- | --- |
//! | number | little-endian, as wide as its type |
//! | size (`SaveSize`) | u32, or 2^32 - 1 and then a u64 |
//! | string | size, and then UTF-8 |
//! | magic | a name, padded with zeros to 16 bytes |

use super::flat::{Budget, Flat};
use crate::Error;

/// Cursor over the unread part of a file. Every read is checked against the end; its error has the byte
/// offset.
pub(super) struct Bytes<'a> {
    /// The file from its beginning. Its end may be missing while only the core is read.
    file: &'a [u8],
    /// Offset of the next byte, at most the length of `file`.
    at: usize,
    budget: &'a Budget,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(file: &'a [u8], budget: &'a Budget) -> Self {
        Self {
            file,
            at: 0,
            budget,
        }
    }

    pub(super) fn left(&self) -> usize {
        self.file.len() - self.at
    }

    /// Creates an error at the current offset.
    pub(super) fn error(&self, what: impl Into<String>) -> Error {
        Error::cbm(self.at, what)
    }

    /// Returns the next `len` bytes and skips them.
    ///
    /// # Errors
    /// If fewer are left. The cursor then stays where it is.
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        if len > self.left() {
            let left = self.left();
            return Err(self.error(format!(
                "expected {len} bytes, found {left}: the file is cut short or damaged"
            )));
        }
        let bytes = &self.file[self.at..self.at + len];
        self.at += len;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        Ok(self
            .take(N)?
            .try_into()
            .expect("as many bytes as were taken"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(|[byte]| byte)
    }

    /// Reads a byte that must be 0 or 1.
    pub(super) fn bool(&mut self) -> Result<bool, Error> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.error(format!("expected 0 or 1, found {other}"))),
        }
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads a length as CatBoost's `SaveSize` writes it: 32 bits, or, after 2^32 - 1, 64 bits.
    pub(super) fn size(&mut self) -> Result<u64, Error> {
        match self.u32()? {
            u32::MAX => self.u64(),
            size => Ok(size.into()),
        }
    }

    /// Returns the bytes of `count` elements of `size` bytes. A product that overflows is an error like a
    /// file that ends.
    pub(super) fn elements(&mut self, count: u64, size: usize) -> Result<&'a [u8], Error> {
        let len = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(size));
        self.take(len.unwrap_or(usize::MAX))
    }

    /// Reads a string that is preceded by its length. Other text than UTF-8 is unsupported, not damaged.
    pub(super) fn string(&mut self) -> Result<String, Error> {
        let len = self.size()?;
        let bytes = self.elements(len, 1)?;
        let text = str::from_utf8(bytes).map_err(|_| {
            Error::unsupported(format!(
                "a delimiter or token that is not UTF-8 (before byte {} of the file)",
                self.at
            ))
        })?;
        Ok(text.to_owned())
    }

    /// Skips a required name, padded with zeros to 16 bytes.
    ///
    /// # Panics
    /// If the name is longer than 16 bytes.
    pub(super) fn magic(&mut self, name: &str) -> Result<(), Error> {
        let mut expected = [0; 16];
        expected[..name.len()].copy_from_slice(name.as_bytes());
        let at = self.at;
        let found = self.take(16)?;
        if found != expected {
            let found = found.escape_ascii();
            return Err(Error::cbm(
                at,
                format!("expected `{name}`, found `{found}`"),
            ));
        }
        Ok(())
    }

    /// Reads a flatbuffer of `len` bytes. Nothing in it is checked yet.
    pub(super) fn flat(&mut self, len: u64) -> Result<Flat<'a>, Error> {
        let base = self.at;
        Ok(Flat::new(self.elements(len, 1)?, base, self.budget))
    }
}
