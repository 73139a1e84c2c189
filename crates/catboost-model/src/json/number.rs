//! Numbers in JSON.
//!
//! Floats are written with the fewest digits that read back to the same bits, whether they are read as an f32 or, as
//! CatBoost does, as an f64 that is rounded to f32. Values for which JSON has no number are strings: `inf`, `-inf`,
//! `nan`.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
};

/// Float of either width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Float<T>(pub(super) T);

/// Widths of floats.
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
        // The shortest digits of one f32, 7.038531e-26, are so close to the middle of two that rounding through f64
        // picks the wrong one.
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

/// Float, for `#[serde(with)]`.
pub(crate) mod float {
    use super::{Deserialize, Deserializer, Float, Real, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer, T: Real>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        Float(*value).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: Real>(from: D) -> Result<T, D::Error> {
        Float::deserialize(from).map(|Float(value)| value)
    }
}

/// List of floats, for `#[serde(with)]`. CatBoost writes some empty lists as `null`.
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

    /// List of floats for `#[serde(with)]`, in which a single number stands for a list of one.
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
        // The length of the list is not known beforehand: nothing is allocated ahead.
        let mut values = Vec::new();
        while let Some(Float(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}

/// List of any elements, `null` if empty, for `#[serde(deserialize_with)]`.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Test for a default value, for `#[serde(skip_serializing_if)]`.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
