//! Flatbuffers: tables with optional fields, read without trusting any offset.
//!
//! A table begins with a signed 32-bit distance back to its vtable. The vtable has its own length, the
//! table's length, and a 16-bit offset for each field (0: the field has its default). Vectors, strings and
//! other tables are at an unsigned 32-bit distance forward.
//!
//! ```text
//! vtable ──► u16 length of the vtable, u16 length of the table, u16 per field: its offset in the table
//! table  ──► i32 distance back to the vtable, fields
//! vector ──► u32 number of elements, elements; of a vector of tables, u32 distances from each element
//! ```
//!
//! A field's index is its position in the schema (`.fbs`). A union has two: its type, then its table.

use std::cell::Cell;

use crate::{Error, limits::BYTES_READ_PER_BYTE};

/// Flatbuffer inside a file. Offsets in this module are relative to its first byte, those of errors to the
/// file.
#[derive(Clone, Copy)]
pub(super) struct Flat<'a> {
    /// The flatbuffer, from its root offset to its end.
    bytes: &'a [u8],
    /// Offset of `bytes` in the file, for errors.
    base: usize,
    budget: &'a Budget,
}

/// Number of bytes that may still be read from a file. Otherwise a small file could point to one large vector
/// many times. Every byte of the file allows four to be read. Tables, vectors, strings and what is made of
/// them are charged.
pub(crate) struct Budget(Cell<usize>);

impl Budget {
    /// Creates the budget of a file of `len` bytes, with an allowance for 1,024 more.
    pub(crate) fn new(len: usize) -> Self {
        let budget = Self(Cell::new(0));
        budget.add(len.saturating_add(1024));
        budget
    }

    /// Raises the budget by that of `len` more bytes of the file.
    pub(super) fn add(&self, len: usize) {
        let bytes = len.saturating_mul(BYTES_READ_PER_BYTE);
        self.0.set(self.0.get().saturating_add(bytes));
    }

    /// Charges `bytes` to the budget. The error names `offset` in the file.
    fn take(&self, bytes: usize, offset: usize) -> Result<(), Error> {
        let left = self.0.get().checked_sub(bytes);
        let left = left.ok_or_else(|| {
            Error::cbm(
                offset,
                "the parts of the file overlap: more is said than it holds",
            )
        })?;
        self.0.set(left);
        Ok(())
    }
}

/// Table of a flatbuffer. Fields are identified by their index in the schema.
///
/// All getters treat a field that the vtable lacks or has at 0 like one that was not written: it has its
/// default.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    flat: Flat<'a>,
    /// Offset of the table in the flatbuffer.
    at: usize,
    /// Offset of its vtable, all of which is in the flatbuffer.
    vtable: usize,
    /// Length of the vtable in bytes, even and at least 4.
    vtable_len: usize,
}

impl<'a> Flat<'a> {
    /// Creates a flatbuffer of `bytes`, which begin at offset `base` of the file.
    pub(super) fn new(bytes: &'a [u8], base: usize, budget: &'a Budget) -> Self {
        Self {
            bytes,
            base,
            budget,
        }
    }

    /// Returns the root table.
    pub(super) fn root(self) -> Result<Table<'a>, Error> {
        self.table(self.forward(0)?)
    }

    /// Returns the table at an offset. Its vtable is checked, its fields are not.
    fn table(self, at: usize) -> Result<Table<'a>, Error> {
        self.budget.take(4, self.base + at)?;
        let back = i64::from(i32::from_le_bytes(self.array(at)?));
        let vtable = usize::try_from(at as i64 - back)
            .map_err(|_| self.error(at, "a table's vtable is outside the file"))?;
        let vtable_len = usize::from(u16::from_le_bytes(self.array(vtable)?));
        if vtable_len < 4 || !vtable_len.is_multiple_of(2) {
            return Err(self.error(vtable, format!("a vtable of {vtable_len} bytes")));
        }
        self.slice(vtable, vtable_len)?;
        Ok(Table {
            flat: self,
            at,
            vtable,
            vtable_len,
        })
    }

    /// Follows the offset at `at`: returns the sum of `at` and the u32 there, which need not be in the
    /// flatbuffer.
    fn forward(self, at: usize) -> Result<usize, Error> {
        Ok(at + u32::from_le_bytes(self.array(at)?) as usize)
    }

    fn slice(self, at: usize, len: usize) -> Result<&'a [u8], Error> {
        let end = at.checked_add(len);
        end.and_then(|end| self.bytes.get(at..end)).ok_or_else(|| {
            let left = self.bytes.len().saturating_sub(at);
            self.error(
                at,
                format!("expected {len} bytes, found {left}: the file is cut short or damaged"),
            )
        })
    }

    fn array<const N: usize>(self, at: usize) -> Result<[u8; N], Error> {
        let slice = self.slice(at, N)?;
        Ok(slice.try_into().expect("the slice has N bytes"))
    }

    fn error(self, at: usize, what: impl Into<String>) -> Error {
        Error::cbm(self.base + at, what)
    }
}

/// Scalar of a table or a vector, little-endian.
pub(super) trait Scalar: Sized {
    /// Number of bytes in the file.
    const SIZE: usize;
    /// Decodes exactly `SIZE` bytes.
    ///
    /// # Panics
    /// If there are more bytes, or fewer.
    fn read(bytes: &[u8]) -> Self;
}

macro_rules! scalar {
    ($($type:ty)*) => {$(
        impl Scalar for $type {
            const SIZE: usize = size_of::<$type>();
            fn read(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("as many bytes as the type has"))
            }
        }
    )*};
}

scalar!(u8 i8 u16 i32 u32 u64 f32 f64);

impl<'a> Table<'a> {
    /// Offset of the table in the file.
    pub(super) fn offset(&self) -> usize {
        self.flat.base + self.at
    }

    /// Returns a scalar, or its default if the table lacks it. `default` is that of the schema.
    pub(super) fn get<T: Scalar>(&self, field: usize, default: T) -> Result<T, Error> {
        let Some(at) = self.field(field)? else {
            return Ok(default);
        };
        Ok(T::read(self.flat.slice(at, T::SIZE)?))
    }

    /// Returns a vector of scalars; empty if the table lacks it. Charged to the budget.
    pub(super) fn vector<T: Scalar>(&self, field: usize) -> Result<Vec<T>, Error> {
        Ok(self
            .structs(field, T::SIZE)?
            .chunks_exact(T::SIZE)
            .map(T::read)
            .collect())
    }

    /// Returns the bytes of a vector whose elements have `size` bytes; empty if the table lacks it. Charged
    /// to the budget. The length is a multiple of `size`.
    pub(super) fn structs(&self, field: usize, size: usize) -> Result<&'a [u8], Error> {
        let Some(at) = self.field(field)? else {
            return Ok(&[]);
        };
        let at = self.flat.forward(at)?;
        let len = u32::from_le_bytes(self.flat.array(at)?) as usize;
        let bytes = self.flat.slice(at + 4, len.saturating_mul(size))?;
        self.flat.budget.take(bytes.len(), self.flat.base + at)?;
        Ok(bytes)
    }

    /// Returns a string; empty if the table lacks it. Other text than UTF-8 is unsupported.
    pub(super) fn string(&self, field: usize) -> Result<String, Error> {
        let bytes = self.structs(field, 1)?;
        self.utf8(bytes)
    }

    /// Returns a table, if present.
    pub(super) fn table(&self, field: usize) -> Result<Option<Table<'a>>, Error> {
        let Some(at) = self.field(field)? else {
            return Ok(None);
        };
        self.flat.table(self.flat.forward(at)?).map(Some)
    }

    /// Returns a required table. `name` is the schema's name, for the error.
    pub(super) fn required(&self, field: usize, name: &str) -> Result<Table<'a>, Error> {
        self.table(field)?
            .ok_or_else(|| Error::cbm(self.offset(), format!("{name} is missing")))
    }

    /// Iterates over a vector of tables.
    pub(super) fn tables(
        &self,
        field: usize,
    ) -> Result<impl Iterator<Item = Result<Table<'a>, Error>> + use<'a>, Error> {
        let flat = self.flat;
        Ok(self
            .offsets(field)?
            .into_iter()
            .map(move |at| flat.table(at)))
    }

    /// Calls `read` for each table of a vector. Many may be the same table, so the results are charged to the budget.
    pub(super) fn each<T>(
        &self,
        field: usize,
        read: impl Fn(&Table<'a>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let offsets = self.offsets(field)?;
        let bytes = offsets.len().saturating_mul(size_of::<T>());
        self.flat.budget.take(bytes, self.offset())?;
        let mut all = Vec::with_capacity(offsets.len());
        for at in offsets {
            all.push(read(&self.flat.table(at)?)?);
        }
        Ok(all)
    }

    /// Returns a vector of strings.
    pub(super) fn strings(&self, field: usize) -> Result<Vec<String>, Error> {
        let string = |at: usize| {
            let len = u32::from_le_bytes(self.flat.array(at)?) as usize;
            let bytes = self.flat.slice(at + 4, len)?;
            self.flat.budget.take(len, self.flat.base + at)?;
            self.utf8(bytes)
        };
        self.offsets(field)?.into_iter().map(string).collect()
    }

    /// Returns the bytes of a struct, which is stored in the table itself; `None` if the table lacks it.
    pub(super) fn bytes<const N: usize>(&self, field: usize) -> Result<Option<[u8; N]>, Error> {
        let Some(at) = self.field(field)? else {
            return Ok(None);
        };
        self.flat.array(at).map(Some)
    }

    /// Offsets of the elements of a vector of offsets.
    fn offsets(&self, field: usize) -> Result<Vec<usize>, Error> {
        let Some(at) = self.field(field)? else {
            return Ok(Vec::new());
        };
        let at = self.flat.forward(at)?;
        let bytes = self.structs(field, 4)?;
        let offsets = bytes.chunks_exact(4).map(u32::read).enumerate();
        Ok(offsets
            .map(|(index, forward)| at + 4 + index * 4 + forward as usize)
            .collect())
    }

    /// Offset of a field, if the table has it.
    fn field(&self, field: usize) -> Result<Option<usize>, Error> {
        let entry = 4 + field * 2;
        if entry >= self.vtable_len {
            return Ok(None);
        }
        match u16::from_le_bytes(self.flat.array(self.vtable + entry)?) {
            0 => Ok(None),
            place => Ok(Some(self.at + usize::from(place))),
        }
    }

    fn utf8(&self, bytes: &[u8]) -> Result<String, Error> {
        let text = std::str::from_utf8(bytes).map_err(|_| {
            Error::unsupported(format!(
                "a name or text that is not UTF-8 (byte {} of the file)",
                self.offset()
            ))
        })?;
        Ok(text.to_owned())
    }
}
