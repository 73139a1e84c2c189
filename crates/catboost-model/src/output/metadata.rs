//! JSON in a model's metadata, as CatBoost reads it.
//!
//! `ReadTJsonValue` (`catboost/private/libs/options/json_helper.cpp`) never fails. A malformed text gives whatever was
//! read before the fault, or `null` if the fault is at the beginning. Text after a whole value is ignored. A key
//! without a value is present, but undefined. The last of several values of a key counts. The getters are those of
//! `library/cpp/json/writer/json_value.cpp`.

use std::collections::BTreeMap;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    /// Value of a key that could not be read.
    Undefined,
    Null,
    Bool(bool),
    /// Integer without a point or an exponent that fits 64 bits.
    Int(i64),
    /// Integer beyond the range of [`Json::Int`].
    UInt(u64),
    Double(f64),
    Text(String),
    List(Vec<Json>),
    Map(BTreeMap<String, Json>),
}

impl Json {
    /// Reads a text up to the first fault.
    pub(super) fn read(text: &str) -> Self {
        let text = &text[..leading_zero(text).unwrap_or(text.len())];
        let mut json = Self::Null;
        // Whatever was read is kept, fault or not.
        let _ = Slot(&mut json).deserialize(&mut serde_json::Deserializer::from_str(text));
        match json {
            Self::Undefined => Self::Null,
            json => json,
        }
    }

    /// Returns the value of a key; `None` if the key is missing, or this is not an object.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// Iterates over the entries of an object; empty for anything else.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&String, &Self)> {
        let map = match self {
            Self::Map(map) => Some(map),
            _ => None,
        };
        map.into_iter().flatten()
    }

    /// Returns the elements of a list; anything else is a list of one.
    pub(super) fn elements(&self) -> &[Self] {
        match self {
            Self::List(list) => list,
            one => std::slice::from_ref(one),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// `GetIntegerSafe`: signed 64-bit integers, in any notation.
    pub(super) fn integer(&self) -> Option<i64> {
        match *self {
            Self::Int(value) => Some(value),
            Self::Double(value) if value as i64 as f64 == value => Some(value as i64),
            _ => None,
        }
    }

    /// `GetDoubleSafe`: numbers, except integers that an f64 may not represent.
    pub(super) fn double(&self) -> Option<f64> {
        const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
        match *self {
            Self::Double(value) => Some(value),
            Self::Int(value) if value.unsigned_abs() <= EXACT => Some(value as f64),
            _ => None,
        }
    }
}

/// Returns the end of the first number with a leading 0 and more digits: CatBoost reads the 0, and finds the fault
/// after it.
fn leading_zero(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    let mut number = 0..0;
    for (place, window) in text.as_bytes().windows(2).enumerate() {
        let byte = window[0];
        match byte {
            _ if std::mem::take(&mut escaped) => {}
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E' if !quoted => {
                if number.end != place {
                    number.start = place;
                }
                number.end = place + 1;
                let begun = &text[number.clone()];
                if matches!(begun, "0" | "-0") && window[1].is_ascii_digit() {
                    return Some(number.end);
                }
            }
            _ => {}
        }
    }
    None
}

/// Destination of a value that is being read.
struct Slot<'a>(&'a mut Json);

impl<'de> DeserializeSeed<'de> for Slot<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Slot<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        *self.0 = Json::Null;
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        *self.0 = Json::Bool(value);
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        *self.0 = Json::Int(value);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        *self.0 = i64::try_from(value).map_or(Json::UInt(value), Json::Int);
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        *self.0 = Json::Double(value);
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        *self.0 = Json::Text(value.to_owned());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        *self.0 = Json::List(Vec::new());
        let Json::List(elements) = self.0 else {
            return Ok(());
        };
        loop {
            elements.push(Json::Undefined);
            let Some(element) = elements.last_mut() else {
                return Ok(());
            };
            let read = list.next_element_seed(Slot(element));
            if *element == Json::Undefined {
                elements.pop();
            }
            if read?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        *self.0 = Json::Map(BTreeMap::new());
        let Json::Map(entries) = self.0 else {
            return Ok(());
        };
        while let Some(key) = map.next_key::<String>()? {
            let value = entries.entry(key).or_insert(Json::Undefined);
            *value = Json::Undefined;
            map.next_value_seed(Slot(value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn what_was_read_before_a_fault_stays() {
        let int = |value| Json::Int(value);
        let map = |entries: Vec<(&str, Json)>| {
            let entries = entries.into_iter();
            Json::Map(
                entries
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect(),
            )
        };
        for (text, expected) in [
            ("", Json::Null),
            (" x", Json::Null),
            ("{", map(vec![])),
            ("{\"a\"", map(vec![("a", Json::Undefined)])),
            (
                "{\"a\": [1, [2, \"b",
                map(vec![(
                    "a",
                    Json::List(vec![int(1), Json::List(vec![int(2)])]),
                )]),
            ),
            ("{\"a\": 1, \"a\": 2} x", map(vec![("a", int(2))])),
            ("[05, 1]", Json::List(vec![int(0)])),
            ("[-00", Json::List(vec![Json::Double(-0.0)])),
            (
                "[1e-05, 0.01, \"05\", 10, 100]",
                Json::List(vec![
                    Json::Double(1e-5),
                    Json::Double(0.01),
                    Json::Text("05".into()),
                    int(10),
                    int(100),
                ]),
            ),
            ("18446744073709551615", Json::UInt(u64::MAX)),
        ] {
            assert_eq!(Json::read(text), expected, "{text}");
        }
    }
}
