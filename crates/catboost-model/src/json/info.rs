//! `model_info`: texts by key. Like CatBoost, this writes a text that is JSON unquoted if its key ends in `params`.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// Canonical form of a text, so that both file formats give the same: JSON that CatBoost would write unquoted is
/// compacted, with the keys of objects in order.
pub(crate) fn canonical(name: &str, text: String) -> String {
    if !name.ends_with("params") || !text.starts_with(['{', '[']) {
        return text;
    }
    let mut compact = String::new();
    let mut json = serde_json::Deserializer::from_str(&text);
    let whole = Compact(&mut compact).deserialize(&mut json).is_ok() && json.end().is_ok();
    if whole { compact } else { text }
}

pub(super) fn serialize<S: Serializer>(
    info: &BTreeMap<String, String>,
    to: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Entry<'a> {
        Embedded(Value),
        Text(&'a str),
    }
    to.collect_map(info.iter().map(|(name, text)| {
        let json = serde_json::from_str::<Value>(text).ok();
        let embedded =
            json.filter(|json| name.ends_with("params") && (json.is_object() || json.is_array()));
        (name, embedded.map_or(Entry::Text(text), Entry::Embedded))
    }))
}

/// Reads texts by key. Like CatBoost, this takes a `model_info` that is not an object for empty: CatBoost writes `null`
/// for a model without metadata.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, Text>, D::Error> {
    from.deserialize_any(TextsVisitor)
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = BTreeMap<String, Text>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object from name to text, or null")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut texts = BTreeMap::new();
        while let Some((name, text)) = map.next_entry()? {
            texts.insert(name, text);
        }
        Ok(texts)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(BTreeMap::new())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }
}

/// Text, which may be unquoted JSON in the document.
#[derive(Clone, Debug)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    // CatBoost's `GetStringRobust` converts any value to a text.
    fn visit_unit<E: de::Error>(self) -> Result<String, E> {
        Ok("null".to_owned())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<String, A::Error> {
        let mut text = String::new();
        Compact(&mut text).visit_seq(list)?;
        Ok(text)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<String, A::Error> {
        let mut text = String::new();
        Compact(&mut text).visit_map(map)?;
        Ok(text)
    }
}

/// Copies JSON to a text without blanks, with the keys of objects in order. A tree of values would take too much memory
/// for hostile files.
struct Compact<'a>(&'a mut String);

impl Compact<'_> {
    fn scalar<E: de::Error>(self, value: impl Serialize) -> Result<(), E> {
        let text = serde_json::to_string(&value).map_err(E::custom)?;
        self.0.push_str(&text);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Compact<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Compact<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.scalar(())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let begin = self.0.len();
        self.0.push('[');
        while list.next_element_seed(Compact(self.0))?.is_some() {
            self.0.push(',');
        }
        close(self.0, begin, ']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let begin = self.0.len();
        self.0.push('{');
        // Offsets in the text of each entry, its value and the end of its comma.
        let mut entries: Vec<[u32; 3]> = Vec::new();
        let place = |text: &str| {
            let place = u32::try_from(text.len());
            place.map_err(|_| de::Error::custom("more than 4 GiB of JSON in a text"))
        };
        loop {
            let entry = place(self.0)?;
            if map.next_key_seed(Compact(self.0))?.is_none() {
                break;
            }
            let value = place(self.0)?;
            self.0.push(':');
            map.next_value_seed(Compact(self.0))?;
            self.0.push(',');
            entries.push([entry, value, place(self.0)?]);
        }
        let unsorted = self.0.split_off(begin + 1);
        let slice =
            |from: u32, to: u32| &unsorted[from as usize - begin - 1..to as usize - begin - 1];
        let key = |&[entry, value, _]: &[u32; 3]| slice(entry, value);
        entries.sort_unstable_by(|one, other| key(one).cmp(key(other)).then(one.cmp(other)));
        let kept = entries.iter().enumerate().filter(|(nth, entry)| {
            // The last of several entries with one key counts.
            let next = entries.get(nth + 1);
            next.is_none_or(|next| key(next) != key(entry))
        });
        self.0
            .extend(kept.map(|(_, &[from, _, to])| slice(from, to)));
        close(self.0, begin, '}');
        Ok(())
    }
}

/// Closes a list or an object that began at offset `begin`: the bracket replaces the last comma.
fn close(text: &mut String, begin: usize, bracket: char) {
    if text.len() > begin + 1 {
        text.pop();
    }
    text.push(bracket);
}
