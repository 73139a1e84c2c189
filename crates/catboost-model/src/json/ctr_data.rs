//! `ctr_data`: tables of counts, by type and projection.
//!
//! Each key of the object is an [`Identifier`], each value a table. Its `hash_map` is a flat list of hashes,
//! each followed by its `hash_stride - 1` numbers:
//!
//! | type of CTR | numbers per hash |
//! | --- | --- |
//! | `Borders`, `Buckets` | a count per target class |
//! | `Counter`, `FeatureFreq` | a count; `counter_denominator` is the denominator of all |
//! | the mean types | a sum and a count |

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
};

use super::{ctrs::Identifier, hashes::Hashed, number::is_default};
use crate::{
    Error,
    ir::CtrType,
    raw::{RawCtrBase, RawCtrTable, RawCtrValues},
};

/// Marker of a free bucket of CatBoost's hash table, which is written like a key.
const EMPTY: u64 = u64::MAX;

/// Tables, by [`Identifier`].
#[derive(Default)]
pub(super) struct CtrData {
    pub(super) tables: Vec<RawCtrTable>,
    /// Name of a table that CatBoost itself would not read back as it wrote it.
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
    /// Our addition: the sums of [`RawCtrValues::Means`] are not whole numbers, and are to be read as they are.
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
        let width = usize::try_from(self.hash_stride)
            .ok()
            .and_then(|stride| stride.checked_sub(1))
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
                classes: width as i64,
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
    /// Returns true if any sum is not a whole number.
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
