//! `static_provider_v1`: tables of counts (CatBoost's `ctr_data.fbs`).
//!
//! ```text
//! size          number of tables
//! per table     size of a flatbuffer, and the flatbuffer TCtrValueTable
//! ```
//!
//! `IndexHashRaw` has packed buckets of 12 bytes, u64 key and u32 index. Free buckets have the key 2^64 - 1.
//! An index counts entries of `CTRBlob`:
//!
//! | type of CTR | entry |
//! | --- | --- |
//! | `Borders`, `Buckets` | `TargetClassesCount` counts, i32 |
//! | `Counter`, `FeatureFreq` | a count, i32; the denominator is `CounterDenominator` |
//! | the mean types | sum, f32, and count, i32 |

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
/// Bytes of a bucket: a key, and an index. Buckets are not aligned.
const BUCKET: usize = 12;

/// Reads the tables: their number, and each after its length. They keep the order of the file.
pub(super) fn read(bytes: &mut Bytes<'_>) -> Result<Vec<RawCtrTable>, Error> {
    let count = bytes.size()?;
    let mut tables = Vec::new();
    for _ in 0..count {
        tables.push(table(&bytes.sized_flat()?.root()?)?);
    }
    Ok(tables)
}

/// Reads `TModelCtrBase`: type and projection of a CTR. A table and the CTRs that look it up have equal ones.
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

/// Reads `TCtrValueTable`: a hash table from keys to indices, and the counts at each index. Keys come out
/// ascending, and entries without a key are dropped.
///
/// # Errors
/// If the bytes of the buckets are no multiple of 12, an index is out of range, or there are more keys than
/// entries.
fn table(table: &Table<'_>) -> Result<RawCtrTable, Error> {
    let base = base(&table.required(0, "ModelCtrBase")?)?;
    let buckets = table.structs(1, 1)?;
    if !buckets.len().is_multiple_of(BUCKET) {
        return Err(Error::cbm(
            table.offset(),
            format!(
                "expected buckets of {BUCKET} bytes, found {} bytes",
                buckets.len()
            ),
        ));
    }
    let entries = Entries {
        offset: table.offset(),
        buckets,
        blob: table.structs(2, 1)?,
        keys: keys(buckets),
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
                counts: entries.read(stride.saturating_mul(4))?,
            }
        }
        CtrType::Counter | CtrType::FeatureFreq => RawCtrValues::Counts {
            denominator: table.get(3, 0)?,
            counts: entries.read(4)?,
        },
        CtrType::BinarizedTargetMeanValue | CtrType::FloatTargetMeanValue => {
            let words = entries.read(8)?;
            let mean = |pair: &[i32]| (f32::from_bits(pair[0].cast_unsigned()), pair[1]);
            RawCtrValues::Means(words.chunks_exact(2).map(mean).collect())
        }
    };
    Ok(RawCtrTable {
        base,
        keys: entries.keys.into_iter().map(|(key, _)| key).collect(),
        values,
    })
}

/// Returns the keys, ascending, with the numbers of their buckets. Of two buckets with one key, the first
/// counts.
fn keys(buckets: &[u8]) -> Vec<(u64, u32)> {
    let keys = (0..).zip(buckets.chunks_exact(BUCKET));
    let keys = keys.map(|(place, bucket)| (u64::read(&bucket[..8]), place));
    let keys = keys.filter(|&(key, _)| key != EMPTY);
    // At least half of the buckets are free: a list that grows would be twice too long.
    let mut all = Vec::with_capacity(keys.clone().count());
    all.extend(keys);
    all.sort_unstable();
    all.dedup_by_key(|&mut (key, _)| key);
    all
}

/// Counts of a table, and the index of each key among them.
struct Entries<'a> {
    offset: usize,
    /// `IndexHashRaw`: [`BUCKET`] bytes each.
    buckets: &'a [u8],
    blob: &'a [u8],
    /// Keys, ascending, with the numbers of their buckets.
    keys: Vec<(u64, u32)>,
}

impl Entries<'_> {
    /// Returns the words of each key, in the order of the keys: `size / 4` words per key. The entry of an
    /// index has `size` bytes.
    fn read(&self, size: usize) -> Result<Vec<i32>, Error> {
        let entries = self.blob.len() / size;
        let keys = self.keys.len();
        if keys > entries {
            let what = format!("{keys} keys for {entries} entries");
            return Err(Error::cbm(self.offset, what));
        }
        let mut words = Vec::with_capacity(keys * (size / 4));
        for &(_, bucket) in &self.keys {
            let bucket = &self.buckets[bucket as usize * BUCKET..][..BUCKET];
            let index = u32::read(&bucket[8..]) as usize;
            if index >= entries {
                let what = format!("a key with entry {index} of {entries}");
                return Err(Error::cbm(self.offset, what));
            }
            let entry = &self.blob[index * size..][..size];
            words.extend(entry.chunks_exact(4).map(i32::read));
        }
        Ok(words)
    }
}
