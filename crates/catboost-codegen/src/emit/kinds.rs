//! Emits conversions between rows and arrays, one per kind of feature, for callers that know features by index.
//!
//! `Features::from_kinds` takes `&[f32; N]`, `&[&str; N]` twice, and a tuple of embeddings if there are any,
//! each in the model's order; `Features::to_kinds` returns these arrays and the tuple by value.

use std::fmt::{self, Write as _};

use catboost_runtime::emit::Emitter;

use super::Module;
use crate::names::{Field, Kind};

impl Module<'_> {
    /// Emits the constructor from arrays, and its inverse: one array per kind, and one per embedding, since embeddings
    /// may differ in length.
    pub(super) fn kinds(&self, f: &mut Emitter, lifetime: &str) -> fmt::Result {
        let text = if lifetime.is_empty() {
            "&str"
        } else {
            "&'a str"
        };
        let mut kinds: Vec<(&str, String, Vec<&Field>)> = [
            ("floats", "f32", Kind::Float),
            ("cats", text, Kind::Categorical),
            ("texts", text, Kind::Text),
        ]
        .map(|(name, element, kind)| {
            let fields = self.sorted(|field| field.kind == kind);
            (name, format!("[{element}; {}]", fields.len()), fields)
        })
        .into();
        let embeddings = self.sorted(|field| matches!(field.kind, Kind::Embedding(_)));
        if !embeddings.is_empty() {
            let types = embeddings.iter().map(|field| field.kind.value());
            let types = types.map(|each| format!("{each}, ")).collect::<String>();
            kinds.push(("embeddings", format!("({types})"), embeddings));
        }

        let (mut parameters, mut arrays, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let mut assignments = String::new();
        for (name, array, fields) in kinds {
            let is_tuple = array.starts_with('(');
            let (by, open, close) = if is_tuple {
                ("", "(", ",)")
            } else {
                ("&", "[", "]")
            };
            parameters.push(format!("{name}: {by}{array}"));
            arrays.push(array);
            let of_self = fields
                .iter()
                .map(|field| format!("self.{}", field.identifier));
            let of_self = of_self.collect::<Vec<_>>().join(", ");
            values.push(format!("{open}{of_self}{close}"));
            for (index, field) in fields.iter().enumerate() {
                let value = if is_tuple {
                    format!("{name}.{index}")
                } else {
                    format!("{name}[{index}]")
                };
                assignments.push_str(&format!("            {}: {value},\n", field.identifier));
            }
        }
        write!(
            f,
            "impl{lifetime} Features{lifetime} {{
    /// A row from the features of each kind, in the model's order.
    #[must_use]
    #[allow(unused_variables)]
    pub fn from_kinds({}) -> Self {{
        Self {{
{assignments}        }}
    }}

    /// The features of each kind, in the model's order.
    #[must_use]
    #[allow(clippy::wrong_self_convention, clippy::type_complexity)]
    pub fn to_kinds(&self) -> ({}) {{
        ({})
    }}
}}

",
            parameters.join(", "),
            arrays.join(", "),
            values.join(", ")
        )
    }

    /// Returns the selected fields in the order of their index.
    fn sorted(&self, is_meant: impl Fn(&Field) -> bool) -> Vec<&Field> {
        let mut fields: Vec<&Field> = self.fields.iter().filter(|field| is_meant(field)).collect();
        fields.sort_by_key(|field| field.index);
        fields
    }
}
