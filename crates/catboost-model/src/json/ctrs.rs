//! `features_info.ctrs`: CTRs, and the identifiers of their tables.
//!
//! CatBoost's document names a table of counts by a string that is itself JSON: type and projection. It
//! leaves out the binarization of the target ([`RawCtrBase::target_classifier`]), which is added here if it
//! is not 0. A document of CatBoost's own in which it may matter is refused: [`super::binarizations`].
//!
//! ```text
//! {"identifier":[{"cat_feature_index":0,"combination_element":"cat_feature_value"}],"type":"Borders"}
//! ```

use serde::{Deserialize, Serialize};

use super::number::{Float, float, floats, is_default};
use crate::{
    ir::CtrType,
    raw::{RawCtr, RawCtrBase},
};

/// Part of a projection.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
enum Element {
    /// Value of a categorical feature, by its index: `cat_feature_value`.
    Cat(i64),
    /// Answer to a float split, feature and border: `float_feature`.
    Float(i64, f32),
    /// Answer to a one-hot split, feature and hash: `cat_feature_exact_value`.
    OneHot(i64, i32),
}

/// [`Element`] in the document's form.
#[derive(Serialize, Deserialize)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    border: Option<Float<f32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cat_feature_index: Option<i64>,
    combination_element: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    float_feature_index: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<i32>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    CatFeatureValue,
    FloatFeature,
    CatFeatureExactValue,
}

impl TryFrom<Fields> for Element {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, &'static str> {
        let cat = fields
            .cat_feature_index
            .ok_or("missing field `cat_feature_index`");
        Ok(match fields.combination_element {
            Kind::CatFeatureValue => Self::Cat(cat?),
            Kind::FloatFeature => {
                let Float(border) = fields.border.ok_or("missing field `border`")?;
                let index = fields.float_feature_index;
                Self::Float(index.ok_or("missing field `float_feature_index`")?, border)
            }
            Kind::CatFeatureExactValue => {
                Self::OneHot(cat?, fields.value.ok_or("missing field `value`")?)
            }
        })
    }
}

impl From<Element> for Fields {
    fn from(element: Element) -> Self {
        let fields = |combination_element| Self {
            border: None,
            cat_feature_index: None,
            combination_element,
            float_feature_index: None,
            value: None,
        };
        match element {
            Element::Cat(index) => Self {
                cat_feature_index: Some(index),
                ..fields(Kind::CatFeatureValue)
            },
            Element::Float(index, border) => Self {
                border: Some(Float(border)),
                float_feature_index: Some(index),
                ..fields(Kind::FloatFeature)
            },
            Element::OneHot(index, value) => Self {
                cat_feature_index: Some(index),
                value: Some(value),
                ..fields(Kind::CatFeatureExactValue)
            },
        }
    }
}

/// Identifier of a table of counts.
#[derive(Serialize, Deserialize)]
pub(super) struct Identifier {
    identifier: Vec<Element>,
    r#type: CtrType,
    /// Our addition.
    #[serde(default, skip_serializing_if = "is_default")]
    target_classifier: i64,
}

impl Identifier {
    pub(super) fn of(base: &RawCtrBase) -> Self {
        let cats = base.cats.iter().map(|&cat| Element::Cat(cat));
        let floats = base.floats.iter().map(|&(i, b)| Element::Float(i, b));
        let one_hots = base.one_hots.iter().map(|&(i, v)| Element::OneHot(i, v));
        Self {
            identifier: cats.chain(floats).chain(one_hots).collect(),
            r#type: base.ctr_type,
            target_classifier: base.target_classifier,
        }
    }

    pub(super) fn read(self) -> RawCtrBase {
        let mut base = RawCtrBase {
            cats: Vec::new(),
            floats: Vec::new(),
            one_hots: Vec::new(),
            ctr_type: self.r#type,
            target_classifier: self.target_classifier,
        };
        for element in self.identifier {
            match element {
                Element::Cat(index) => base.cats.push(index),
                Element::Float(index, border) => base.floats.push((index, border)),
                Element::OneHot(index, value) => base.one_hots.push((index, value)),
            }
        }
        base
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("it has no keys but strings")
    }
}

/// A CTR.
#[derive(Serialize, Deserialize)]
pub(super) struct CtrFeature {
    /// Key in `ctr_data`. Not read: `elements` and `ctr_type` say the same.
    #[serde(skip_deserializing)]
    identifier: String,
    elements: Vec<Element>,
    ctr_type: CtrType,
    /// Our addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_classifier: Option<i64>,
    target_border_idx: i64,
    #[serde(with = "float")]
    prior_numerator: f32,
    /// Spelled as in CatBoost.
    #[serde(with = "float")]
    prior_denomerator: f32,
    #[serde(with = "float")]
    shift: f32,
    #[serde(with = "float")]
    scale: f32,
    #[serde(with = "floats")]
    borders: Vec<f32>,
}

impl CtrFeature {
    pub(super) fn of(ctr: RawCtr) -> Self {
        let identifier = Identifier::of(&ctr.base);
        Self {
            identifier: identifier.text(),
            elements: identifier.identifier,
            ctr_type: identifier.r#type,
            target_classifier: counts_targets(ctr.base.ctr_type)
                .then_some(ctr.base.target_classifier),
            target_border_idx: ctr.target_border,
            prior_numerator: ctr.prior_num,
            prior_denomerator: ctr.prior_denom,
            shift: ctr.shift,
            scale: ctr.scale,
            borders: ctr.borders,
        }
    }

    /// Returns the type if the binarization of the target matters and the document does not say it.
    pub(super) fn unclear_type(&self) -> Option<CtrType> {
        let unclear = counts_targets(self.ctr_type) && self.target_classifier.is_none();
        unclear.then_some(self.ctr_type)
    }

    pub(super) fn read(self) -> RawCtr {
        let identifier = Identifier {
            identifier: self.elements,
            r#type: self.ctr_type,
            target_classifier: self.target_classifier.unwrap_or_default(),
        };
        RawCtr {
            base: identifier.read(),
            target_border: self.target_border_idx,
            prior_num: self.prior_numerator,
            prior_denom: self.prior_denomerator,
            shift: self.shift,
            scale: self.scale,
            borders: self.borders,
        }
    }
}

/// Returns true if counts of this type depend on the binarization of the target.
fn counts_targets(ctr_type: CtrType) -> bool {
    !matches!(ctr_type, CtrType::Counter | CtrType::FeatureFreq)
}
