//! `model_info`: texts by name. As CatBoost writes them, a text whose name ends in `params` and that is JSON itself is
//! not quoted but stands there as JSON.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

/// What the text of `name` is compared by: if it is JSON that CatBoost would write unquoted, its compact form with the
/// keys of objects in order, so that both file formats give the same text.
pub(crate) fn canonical<'a>(name: &str, text: &'a str) -> Cow<'a, str> {
    match embedded(name, text) {
        Some(value) => Cow::Owned(value.to_string()),
        None => Cow::Borrowed(text),
    }
}

/// What stands unquoted in the document.
fn embedded(name: &str, text: &str) -> Option<Value> {
    if !name.ends_with("params") {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    (value.is_object() || value.is_array()).then(|| sorted(value))
}

/// With the keys of all objects in order, whatever `serde_json` was built to do.
fn sorted(mut value: Value) -> Value {
    value.sort_all_objects();
    value
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
        let entry = embedded(name, text).map_or(Entry::Text(text), Entry::Embedded);
        (name, entry)
    }))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    from.deserialize_any(InfoVisitor)
}

struct InfoVisitor;

impl<'de> Visitor<'de> for InfoVisitor {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut info = BTreeMap::new();
        while let Some((name, value)) = entries.next_entry::<String, Value>()? {
            let text = match value {
                Value::String(text) => text,
                value => sorted(value).to_string(),
            };
            info.insert(name, text);
        }
        Ok(info)
    }
}
