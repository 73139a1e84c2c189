//! `static_provider_v1`: tables of counts (CatBoost's `ctr_data.fbs`).

use std::collections::HashMap;

use super::{
    Bytes,
    flat::{Scalar, Table},
};
use crate::{
    Error,
    ir::CtrType,
    raw::{RawCtrBase, RawCtrTable, RawCtrValues},
};

/// Marker of a free bucket.
const EMPTY: u64 = u64::MAX;

/// Reads the tables: their number, and each after its length.
pub(super) fn read(bytes: &mut Bytes<'_>) -> Result<Vec<RawCtrTable>, Error> {
    let count = bytes.size()?;
    let mut tables = Vec::new();
    for _ in 0..count {
        tables.push(table(&bytes.sized_flat()?.root()?)?);
    }
    Ok(tables)
}

/// Reads `TModelCtrBase`: type and projection of a CTR.
pub(super) fn base(base: &Table<'_>) -> Result<RawCtrBase, Error> {
    let mut cats = Vec::new();
    let mut floats = Vec::new();
    let mut one_hots = Vec::new();
    if let Some(combination) = base.table(0)? {
        cats = combination
            .vector::<i32>(0)?
            .into_iter()
            .map(i64::from)
            .collect();
        let pairs = |field| {
            Ok::<_, Error>(
                combination
                    .structs(field, 8)?
                    .chunks_exact(8)
                    .map(|pair| pair.split_at(4)),
            )
        };
        floats = pairs(1)?
            .map(|(index, border)| (i32::read(index).into(), f32::read(border)))
            .collect();
        one_hots = pairs(2)?
            .map(|(index, value)| (i32::read(index).into(), i32::read(value)))
            .collect();
    }
    let ctr_type = match base.get::<i8>(1, 0)? {
        0 => CtrType::Borders,
        1 => CtrType::Buckets,
        2 => CtrType::BinarizedTargetMeanValue,
        3 => CtrType::FloatTargetMeanValue,
        4 => CtrType::Counter,
        5 => CtrType::FeatureFreq,
        other => return Err(Error::cbm(base.offset(), format!("a CTR of kind {other}"))),
    };
    Ok(RawCtrBase {
        cats,
        floats,
        one_hots,
        ctr_type,
        target_classifier: base.get::<i32>(2, 0)?.into(),
    })
}

/// Reads `TCtrValueTable`: a hash table from keys to indices, and the counts at each index.
fn table(table: &Table<'_>) -> Result<RawCtrTable, Error> {
    let base = base(&table.required(0, "ModelCtrBase")?)?;
    let buckets = table.structs(1, 1)?;
    if !buckets.len().is_multiple_of(12) {
        return Err(Error::cbm(
            table.offset(),
            format!(
                "expected buckets of 12 bytes, found {} bytes",
                buckets.len()
            ),
        ));
    }
    let mut index_of_key = HashMap::new();
    for bucket in buckets.chunks_exact(12) {
        let (key, index) = bucket.split_at(8);
        let (key, index) = (u64::read(key), u32::read(index));
        // The first of two buckets with one key is found.
        if key != EMPTY {
            index_of_key.entry(key).or_insert(index);
        }
    }
    let entries = Entries {
        table,
        blob: table.vector::<u8>(2)?,
        indices: index_of_key.values().copied().collect(),
    };
    let values = match base.ctr_type {
        CtrType::Borders | CtrType::Buckets => {
            let classes = table.get::<i32>(4, 0)?;
            let stride = usize::try_from(classes).ok().filter(|&classes| classes > 0);
            let stride = stride.ok_or_else(|| {
                Error::cbm(table.offset(), format!("counts of {classes} classes"))
            })?;
            RawCtrValues::Classes {
                classes: classes.into(),
                counts: entries.read(stride * 4)?.collect(),
            }
        }
        CtrType::Counter | CtrType::FeatureFreq => RawCtrValues::Counts {
            denominator: table.get(3, 0)?,
            counts: entries.read(4)?.collect(),
        },
        CtrType::BinarizedTargetMeanValue | CtrType::FloatTargetMeanValue => {
            let words: Vec<i32> = entries.read(8)?.collect();
            let mean = |pair: &[i32]| (f32::from_bits(pair[0].cast_unsigned()), pair[1]);
            RawCtrValues::Means(words.chunks_exact(2).map(mean).collect())
        }
    };
    Ok(RawCtrTable {
        base,
        keys: index_of_key.into_keys().collect(),
        values,
    })
}

/// Counts, with the indices in the order of the keys.
struct Entries<'a> {
    table: &'a Table<'a>,
    blob: Vec<u8>,
    indices: Vec<u32>,
}

impl Entries<'_> {
    /// Returns the words at each index, whose entry has `size` bytes.
    fn read(&self, size: usize) -> Result<impl Iterator<Item = i32>, Error> {
        let entries = self.blob.len() / size;
        if self.indices.len() > entries {
            let keys = self.indices.len();
            return Err(Error::cbm(
                self.table.offset(),
                format!("{keys} keys for {entries} entries"),
            ));
        }
        if let Some(index) = self
            .indices
            .iter()
            .find(|&&index| index as usize >= entries)
        {
            return Err(Error::cbm(
                self.table.offset(),
                format!("a key with entry {index} of {entries}"),
            ));
        }
        let entry = move |&index: &u32| {
            self.blob[index as usize * size..][..size]
                .chunks_exact(4)
                .map(i32::read)
        };
        Ok(self.indices.iter().flat_map(entry))
    }
}
