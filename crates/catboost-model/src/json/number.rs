//! Numbers in JSON.
//!
//! Floats are written with the fewest digits that read back to the same bits, whether they are read as an f32 or, as
//! CatBoost reads them, as an f64 that becomes an f32. What JSON has no number for is a string: `inf`, `-inf`, `nan`.
//! 64-bit hashes are strings of digits, as CatBoost writes them: many readers of JSON would round them.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
    ser::SerializeSeq,
};

/// A float of either width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Float<T>(pub(super) T);

/// The widths.
pub(crate) trait Real: Copy {
    fn from_f64(value: f64) -> Self;
    fn to_f64(self) -> f64;
    /// Writes a finite value.
    fn write<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error>;
}

impl Real for f32 {
    fn from_f64(value: f64) -> Self {
        value as f32
    }

    fn to_f64(self) -> f64 {
        self.into()
    }

    fn write<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        // The shortest digits of an f32 may lie so near the middle of two f32s that an f64 in between changes sides.
        let through_f64 = self.to_string().parse::<f64>();
        if through_f64.is_ok_and(|value| (value as f32).to_bits() == self.to_bits()) {
            serializer.serialize_f32(self)
        } else {
            serializer.serialize_f64(self.into())
        }
    }
}

impl Real for f64 {
    fn from_f64(value: f64) -> Self {
        value
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn write<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self)
    }
}

impl<T: Real> Serialize for Float<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_f64() {
            f64::INFINITY => serializer.serialize_str("inf"),
            f64::NEG_INFINITY => serializer.serialize_str("-inf"),
            value if value.is_nan() => serializer.serialize_str("nan"),
            _ => self.0.write(serializer),
        }
    }
}

impl<'de, T: Real> Deserialize<'de> for Float<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(FloatVisitor)
            .map(|value| Self(T::from_f64(value)))
    }
}

struct FloatVisitor;

impl Visitor<'_> for FloatVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or `inf`, `-inf` or `nan`")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<f64, E> {
        match value {
            "inf" => Ok(f64::INFINITY),
            "-inf" => Ok(f64::NEG_INFINITY),
            "nan" => Ok(f64::NAN),
            _ => Err(E::invalid_value(de::Unexpected::Str(value), &self)),
        }
    }
}

/// For `#[serde(with)]`: a float.
pub(crate) mod float {
    use super::{Deserialize, Deserializer, Float, Real, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer, T: Real>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        Float(*value).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: Real>(from: D) -> Result<T, D::Error> {
        Float::deserialize(from).map(|Float(value)| value)
    }
}

/// For `#[serde(with)]`: a list of floats. CatBoost writes some empty lists as `null`.
pub(crate) mod floats {
    use super::{Deserializer, FloatsVisitor, Real, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer, T: Real>(list: &[T], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(list.iter().map(|&value| super::Float(value)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: Real>(
        from: D,
    ) -> Result<Vec<T>, D::Error> {
        from.deserialize_any(FloatsVisitor::new(false))
    }

    /// The same, where a single number stands for a list of one.
    pub(crate) mod one_or_many {
        use super::{Deserializer, FloatsVisitor, Real, Serialize, Serializer};

        pub(crate) fn serialize<S: Serializer, T: Real>(
            list: &[T],
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match list {
                [value] => super::super::Float(*value).serialize(to),
                list => super::serialize(list, to),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: Real>(
            from: D,
        ) -> Result<Vec<T>, D::Error> {
            from.deserialize_any(FloatsVisitor::new(true))
        }
    }
}

struct FloatsVisitor<T> {
    one_too: bool,
    of: PhantomData<T>,
}

impl<T> FloatsVisitor<T> {
    fn new(one_too: bool) -> Self {
        Self {
            one_too,
            of: PhantomData,
        }
    }
}

impl<T: Real> FloatsVisitor<T> {
    fn one<E: de::Error>(self, value: f64, found: de::Unexpected<'_>) -> Result<Vec<T>, E> {
        if self.one_too {
            Ok(vec![T::from_f64(value)])
        } else {
            Err(E::invalid_type(found, &"a list of numbers"))
        }
    }
}

impl<'de, T: Real> Visitor<'de> for FloatsVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.one_too {
            "a number or a list of numbers"
        } else {
            "a list of numbers"
        })
    }

    fn visit_unit<E: de::Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Vec<T>, E> {
        self.one(value, de::Unexpected::Float(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Vec<T>, E> {
        self.one(value as f64, de::Unexpected::Unsigned(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Vec<T>, E> {
        self.one(value as f64, de::Unexpected::Signed(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        // How long the list is says only its end: nothing is allocated ahead.
        let mut values = Vec::new();
        while let Some(Float(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}

/// For `#[serde(deserialize_with)]`: a list of anything, `null` if it is empty.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// For `#[serde(skip_serializing_if)]`.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A flat list: a hash, as a string, and the numbers that belong to it, again and again. As many numbers follow each.
#[derive(Clone, Debug, Default)]
pub(super) struct Hashed {
    pub(super) hashes: Vec<u64>,
    /// Whole numbers of 32 bits, or f32s: an f64 holds either.
    pub(super) numbers: Vec<f64>,
}

impl Hashed {
    /// How many numbers belong to a hash; 0 if there are no hashes.
    pub(super) fn width(&self) -> usize {
        self.numbers
            .len()
            .checked_div(self.hashes.len())
            .unwrap_or(0)
    }
}

impl Serialize for Hashed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let width = self.width();
        let mut list = serializer.serialize_seq(Some(self.hashes.len() + self.numbers.len()))?;
        for (place, hash) in self.hashes.iter().enumerate() {
            list.serialize_element(&format_args!("{hash}"))?;
            for &number in &self.numbers[place * width..][..width] {
                let whole = number as i64;
                if (whole as f64).to_bits() == number.to_bits() {
                    list.serialize_element(&whole)?;
                } else {
                    list.serialize_element(&Float(number as f32))?;
                }
            }
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Hashed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HashedVisitor)
    }
}

struct HashedVisitor;

impl<'de> Visitor<'de> for HashedVisitor {
    type Value = Hashed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of hashes (strings of digits), each before its numbers")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Hashed, E> {
        Ok(Hashed::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Hashed, A::Error> {
        let mut hashed = Hashed::default();
        let (mut width, mut begin) = (None, 0);
        // Called where a hash's numbers end: at the next hash, and at the end of the list.
        let mut ended = |begin: usize, end: usize| {
            if *width.get_or_insert(end - begin) == end - begin {
                return Ok(());
            }
            Err(de::Error::custom(
                "expected as many numbers after each hash",
            ))
        };
        while let Some(cell) = list.next_element()? {
            match cell {
                Cell::Hash(hash) => {
                    if !hashed.hashes.is_empty() {
                        ended(begin, hashed.numbers.len())?;
                    }
                    begin = hashed.numbers.len();
                    hashed.hashes.push(hash);
                }
                Cell::Number(_) if hashed.hashes.is_empty() => {
                    return Err(de::Error::custom("expected a hash before its numbers"));
                }
                Cell::Number(number) => hashed.numbers.push(number),
            }
        }
        if !hashed.hashes.is_empty() {
            ended(begin, hashed.numbers.len())?;
        }
        Ok(hashed)
    }
}

/// For `#[serde(with)]`: a hash.
pub(crate) mod hash {
    use super::{Cell, Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(hash: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(hash)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        match Cell::deserialize(from)? {
            Cell::Hash(hash) => Ok(hash),
            Cell::Number(number) => Err(de::Error::invalid_type(
                de::Unexpected::Float(number),
                &"a hash (a string of digits)",
            )),
        }
    }
}

/// For `#[serde(with)]`: (hash, identifier) pairs.
pub(crate) mod hash_ids {
    use super::{Deserialize, Deserializer, Hashed, Serialize, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(
        entries: &[(u64, u32)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let hashed = Hashed {
            hashes: entries.iter().map(|&(hash, _)| hash).collect(),
            numbers: entries.iter().map(|&(_, id)| id.into()).collect(),
        };
        hashed.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<(u64, u32)>, D::Error> {
        let hashed = Hashed::deserialize(from)?;
        if hashed.width() > 1 || hashed.hashes.len() != hashed.numbers.len() {
            return Err(de::Error::custom("expected one identifier after each hash"));
        }
        let entry = |(hash, number): (u64, f64)| {
            let id = number as u32;
            (f64::from(id) == number).then_some((hash, id))
        };
        let entries = hashed.hashes.into_iter().zip(hashed.numbers).map(entry);
        entries
            .collect::<Option<_>>()
            .ok_or_else(|| de::Error::custom("an identifier is not a whole number of 32 bits"))
    }
}

enum Cell {
    Hash(u64),
    Number(f64),
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl Visitor<'_> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a hash (a string of digits) or a number")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Cell, E> {
        let hash = value.parse();
        hash.map(Cell::Hash)
            .map_err(|_| E::invalid_value(de::Unexpected::Str(value), &self))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Number(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Number(value as f64))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Number(value as f64))
    }
}
