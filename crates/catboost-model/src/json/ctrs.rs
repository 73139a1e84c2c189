//! `features_info.ctrs` and `ctr_data`: numbers computed from counts, and the counts.
//!
//! CatBoost's document names a table of counts by a string that is JSON again: what is counted, by what. It leaves out
//! which binarization of the target was counted ([`RawCtrBase::target_classifier`]); here that is added where it is not
//! 0. A document of CatBoost's own in which it may matter is refused: [`check_target_classifiers`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
};

use super::{
    info::Text,
    number::{Float, Hashed, float, floats, is_default},
};
use crate::{
    Error,
    ir::CtrType,
    raw::{RawCtr, RawCtrBase, RawCtrTable, RawCtrValues},
};

/// Marks a free bucket of CatBoost's hash table, which it writes down like a key.
const EMPTY: u64 = u64::MAX;

/// A part of what a CTR counts by.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
enum Element {
    Cat(i64),
    Float(i64, f32),
    OneHot(i64, i32),
}

/// [`Element`] as the document has it.
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

/// What names a table of counts.
#[derive(Serialize, Deserialize)]
struct Identifier {
    identifier: Vec<Element>,
    r#type: CtrType,
    /// Not CatBoost's.
    #[serde(default, skip_serializing_if = "is_default")]
    target_classifier: i64,
}

impl Identifier {
    fn of(base: &RawCtrBase) -> Self {
        let cats = base.cats.iter().map(|&cat| Element::Cat(cat));
        let floats = base.floats.iter().map(|&(i, b)| Element::Float(i, b));
        let one_hots = base.one_hots.iter().map(|&(i, v)| Element::OneHot(i, v));
        Self {
            identifier: cats.chain(floats).chain(one_hots).collect(),
            r#type: base.ctr_type,
            target_classifier: base.target_classifier,
        }
    }

    fn read(self) -> RawCtrBase {
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

    fn text(&self) -> String {
        serde_json::to_string(self).expect("it has no keys but strings")
    }
}

/// A CTR.
#[derive(Serialize, Deserialize)]
pub(super) struct CtrFeature {
    /// The key in `ctr_data`. Not read: `elements` and `ctr_type` say the same.
    #[serde(skip_deserializing)]
    identifier: String,
    elements: Vec<Element>,
    ctr_type: CtrType,
    /// Not CatBoost's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_classifier: Option<i64>,
    target_border_idx: i64,
    #[serde(with = "float")]
    prior_numerator: f32,
    /// CatBoost's spelling.
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

/// `ctr_data`: tables of counts by [`Identifier`].
#[derive(Default)]
pub(super) struct CtrData {
    pub(super) tables: Vec<RawCtrTable>,
    /// A table that CatBoost itself would read otherwise than it wrote it.
    misread: Option<String>,
}

impl CtrData {
    pub(super) fn of(tables: Vec<RawCtrTable>) -> Self {
        Self {
            tables,
            misread: None,
        }
    }

    /// Refuses a document of CatBoost's own whose sums of target values are not whole.
    pub(super) fn check(&self) -> Result<(), Error> {
        let Some(name) = &self.misread else {
            return Ok(());
        };
        Err(Error::unsupported(format!(
            "sums of target values that are not whole numbers, in ctr_data, {name}: CatBoost writes them to JSON, but reads them back as 0, so that the file and the model do not predict the same; use the .cbm file"
        )))
    }
}

#[derive(Serialize, Deserialize)]
struct Table {
    #[serde(default)]
    counter_denominator: i32,
    /// Not CatBoost's: the sums of [`RawCtrValues::Means`] are not whole numbers, and are to be read as they are.
    #[serde(default, skip_serializing_if = "is_default")]
    fractional_sums: bool,
    hash_map: Hashed,
    hash_stride: i64,
}

impl Table {
    fn of(table: &RawCtrTable) -> Self {
        let mut denominator = 0;
        let (numbers, width): (Vec<f64>, i64) = match &table.values {
            RawCtrValues::Classes { classes, counts } => {
                (counts.iter().map(|&count| count.into()).collect(), *classes)
            }
            RawCtrValues::Counts {
                denominator: total,
                counts,
            } => {
                denominator = *total;
                (counts.iter().map(|&count| count.into()).collect(), 1)
            }
            RawCtrValues::Means(means) => {
                let pairs = means.iter().map(|&(sum, count)| [sum.into(), count.into()]);
                (pairs.flatten().collect(), 2)
            }
        };
        Self {
            counter_denominator: denominator,
            fractional_sums: table.values.fractional(),
            hash_map: Hashed {
                hashes: table.keys.clone(),
                numbers,
            },
            hash_stride: width + 1,
        }
    }

    fn read(self, base: RawCtrBase) -> Result<RawCtrTable, String> {
        let Hashed {
            mut hashes,
            mut numbers,
        } = self.hash_map;
        let width = usize::try_from(self.hash_stride - 1)
            .ok()
            .filter(|&width| width > 0)
            .ok_or_else(|| format!("`hash_stride` is {}", self.hash_stride))?;
        if numbers.len() != hashes.len().saturating_mul(width) {
            return Err(format!(
                "`hash_stride` is {}, but not so many elements of `hash_map` belong together",
                self.hash_stride
            ));
        }
        if let Some(place) = hashes.iter().position(|&hash| hash == EMPTY) {
            hashes.remove(place);
            numbers.drain(place * width..(place + 1) * width);
        }
        let values = match base.ctr_type {
            CtrType::Borders | CtrType::Buckets => RawCtrValues::Classes {
                classes: self.hash_stride - 1,
                counts: whole(&numbers)?,
            },
            CtrType::Counter | CtrType::FeatureFreq => RawCtrValues::Counts {
                denominator: self.counter_denominator,
                counts: whole(&numbers)?,
            },
            CtrType::BinarizedTargetMeanValue | CtrType::FloatTargetMeanValue => {
                if width != 2 {
                    return Err(format!(
                        "`hash_stride` is {}, expected 3: a hash, a sum and a count",
                        self.hash_stride
                    ));
                }
                let mean = |pair: &[f64]| Ok((pair[0] as f32, whole(&pair[1..])?[0]));
                let means: Vec<(f32, i32)> = numbers
                    .chunks_exact(2)
                    .map(mean)
                    .collect::<Result<_, String>>()?;
                RawCtrValues::Means(means)
            }
        };
        Ok(RawCtrTable {
            base,
            keys: hashes,
            values,
        })
    }
}

impl RawCtrValues {
    /// Whether there are sums that are not whole numbers.
    fn fractional(&self) -> bool {
        matches!(self, Self::Means(means) if means.iter().any(|(sum, _)| sum.fract() != 0.0))
    }
}

fn whole(numbers: &[f64]) -> Result<Vec<i32>, String> {
    let count = |&number: &f64| {
        let count = number as i32;
        (f64::from(count) == number).then_some(count)
    };
    let counts = numbers.iter().map(count).collect::<Option<_>>();
    counts.ok_or_else(|| "a count in `hash_map` is not a whole number of 32 bits".to_owned())
}

impl Serialize for CtrData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = |table: &RawCtrTable| (Identifier::of(&table.base).text(), Table::of(table));
        serializer.collect_map(self.tables.iter().map(entry))
    }
}

impl<'de> Deserialize<'de> for CtrData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CtrDataVisitor)
    }
}

struct CtrDataVisitor;

impl<'de> Visitor<'de> for CtrDataVisitor {
    type Value = CtrData;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tables of counts")
    }

    fn visit_unit<E>(self) -> Result<CtrData, E> {
        Ok(CtrData::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<CtrData, A::Error> {
        let mut data = CtrData::default();
        while let Some((name, table)) = entries.next_entry::<String, Table>()? {
            let identifier: Identifier = serde_json::from_str(&name).map_err(|error| {
                de::Error::custom(format!("{name}: the name of a table: {error}"))
            })?;
            let exact = table.fractional_sums;
            let table = table
                .read(identifier.read())
                .map_err(|what| de::Error::custom(format!("{name}: {what}")))?;
            if !exact && table.values.fractional() {
                data.misread.get_or_insert(name);
            }
            data.tables.push(table);
        }
        Ok(data)
    }
}

/// Losses that are trained on several targets, each of which has binarizations of its own.
const LOSSES_OF_SEVERAL_TARGETS: [&str; 5] = [
    "MultiLogloss",
    "MultiCrossEntropy",
    "MultiRMSE",
    "MultiRMSEWithMissingValues",
    "SurvivalAft",
];

/// Refuses a document of CatBoost's own that cannot say which binarization of the target a CTR counts: CatBoost names
/// tables as if there were one, and of several tables with one name it writes the last.
pub(super) fn check_target_classifiers(
    ctrs: &[CtrFeature],
    info: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let types: BTreeSet<CtrType> = ctrs
        .iter()
        .filter(|ctr| counts_targets(ctr.ctr_type) && ctr.target_classifier.is_none())
        .map(|ctr| ctr.ctr_type)
        .collect();
    let refuse = |what: &str| {
        Err(Error::unsupported(format!(
            "CTRs of {what}: CatBoost's JSON does not say which of them a table of counts belongs to; use the .cbm file"
        )))
    };
    if types.is_empty() {
        return Ok(());
    }
    let params = info.iter().filter(|(name, _)| name.ends_with("params"));
    for params in params.filter_map(|(_, text)| serde_json::from_str::<Params>(text).ok()) {
        if LOSSES_OF_SEVERAL_TARGETS.contains(&params.loss_function.r#type.as_str()) {
            return refuse("a loss with several targets");
        }
        let several = |&&ctr_type: &&CtrType| params.cat_feature_params.binarizations(ctr_type) > 1;
        if let Some(ctr_type) = types.iter().find(several) {
            return refuse(&format!(
                "type {ctr_type:?} with several binarizations of the target"
            ));
        }
    }
    Ok(())
}

/// What is looked at of the training's parameters.
#[derive(Deserialize)]
struct Params {
    #[serde(default)]
    loss_function: LossFunction,
    #[serde(default)]
    cat_feature_params: CatFeatureParams,
}

#[derive(Default, Deserialize)]
struct LossFunction {
    r#type: String,
}

#[derive(Default, Deserialize)]
struct CatFeatureParams {
    #[serde(default)]
    simple_ctrs: Vec<Description>,
    #[serde(default)]
    combinations_ctrs: Vec<Description>,
    #[serde(default)]
    per_feature_ctrs: BTreeMap<String, Vec<Description>>,
}

#[derive(Deserialize)]
struct Description {
    ctr_type: CtrType,
    /// JSON, of which only matters whether it is the same.
    target_binarization: Option<Text>,
}

impl CatFeatureParams {
    /// In how many ways the training binarized the target for CTRs of a type.
    fn binarizations(&self, ctr_type: CtrType) -> usize {
        let lists = [&self.simple_ctrs, &self.combinations_ctrs];
        let descriptions = lists
            .into_iter()
            .chain(self.per_feature_ctrs.values())
            .flatten();
        let of_type = descriptions.filter(|description| description.ctr_type == ctr_type);
        let different: BTreeSet<&str> = of_type
            .filter_map(|description| description.target_binarization.as_ref())
            .map(|Text(json)| json.as_str())
            .collect();
        different.len()
    }
}

/// Whether what such a CTR counts depends on how the target was binarized.
fn counts_targets(ctr_type: CtrType) -> bool {
    !matches!(ctr_type, CtrType::Counter | CtrType::FeatureFreq)
}
