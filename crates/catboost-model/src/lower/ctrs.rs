//! CTRs and the tables that they look up.

use std::collections::HashMap;

use super::{check_borders, features::Features};
use crate::{
    Error,
    ir::{Ctr, CtrTable, CtrType, CtrValues, OneHot, OneHotIdx, Projection, TableIdx},
    limits::MAX_CTR_KEYS,
    raw::{RawCtr, RawCtrBase, RawCtrTable, RawCtrValues},
};

pub(super) fn lower(
    ctrs: Vec<RawCtr>,
    tables: &[RawCtrTable],
    features: &mut Features,
    one_hots: &[OneHot],
    has_estimated: bool,
) -> Result<(Vec<Ctr>, Vec<CtrTable>), Error> {
    let mut by_base: HashMap<_, Vec<usize>> = HashMap::new();
    for (table, raw) in tables.iter().enumerate() {
        by_base.entry(Key::of(&raw.base)).or_default().push(table);
    }
    // Tables that no CTR looks up are dropped.
    let mut places = vec![None; tables.len()];
    let mut used = Vec::new();
    let mut lowered = Vec::new();
    for (index, ctr) in ctrs.into_iter().enumerate() {
        let table = match by_base.get(&Key::of(&ctr.base)).map(Vec::as_slice) {
            Some(&[table]) => table,
            Some(_) => {
                return Err(Error::model(format!(
                    "CTR {index} has two tables of counts"
                )));
            }
            None => {
                return Err(Error::model(format!("CTR {index} has no table of counts")));
            }
        };
        let place = match places[table] {
            Some(place) => place,
            None => {
                let next = TableIdx(used.len() as u32);
                let counts = lower_table(&tables[table], features, one_hots, has_estimated)?;
                used.push(counts);
                *places[table].insert(next)
            }
        };
        lowered.push(lower_ctr(ctr, place, &used[place.at()], index)?);
    }
    check_size(&lowered, &used)?;
    Ok((lowered, used))
}

/// Identity of a table, which a CTR and its table share.
#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    ctr_type: CtrType,
    target_classifier: i64,
    cats: &'a [i64],
    /// Feature and bits of its border, which are the same for both zeros.
    floats: Vec<(i64, u32)>,
    one_hots: &'a [(i64, i32)],
}

impl Key<'_> {
    fn of(base: &RawCtrBase) -> Key<'_> {
        let floats = base.floats.iter();
        Key {
            ctr_type: base.ctr_type,
            target_classifier: base.target_classifier,
            cats: &base.cats,
            floats: floats
                .map(|&(feature, border)| (feature, (border + 0.0).to_bits()))
                .collect(),
            one_hots: &base.one_hots,
        }
    }
}

/// Limits the sum of keys over CTRs: a few bytes of a file can name many CTRs, each with a number for each key.
fn check_size(ctrs: &[Ctr], tables: &[CtrTable]) -> Result<(), Error> {
    let mut sizes: HashMap<&Projection, (usize, usize)> = HashMap::new();
    for table in tables {
        sizes.entry(&table.projection).or_default().0 += table.keys.len();
    }
    for ctr in ctrs {
        let projection = &tables[ctr.table.at()].projection;
        sizes.entry(projection).or_default().1 += 1;
    }
    let pairs = sizes
        .values()
        .map(|&(keys, ctrs)| keys.saturating_mul(ctrs))
        .fold(0, usize::saturating_add);
    match pairs <= MAX_CTR_KEYS {
        true => Ok(()),
        false => Err(Error::unsupported(format!(
            "{pairs} pairs of a CTR and a key that it looks up; at most {MAX_CTR_KEYS} are"
        ))),
    }
}

fn lower_ctr(raw: RawCtr, table: TableIdx, counts: &CtrTable, index: usize) -> Result<Ctr, Error> {
    check_borders(&raw.borders, || format!("CTR {index}"))?;
    let target_border = target_border(raw.target_border, counts, index)?;
    let RawCtr {
        prior_num,
        prior_denom,
        shift,
        scale,
        borders,
        ..
    } = raw;
    Ok(Ctr {
        table,
        target_border,
        prior_num,
        prior_denom,
        shift,
        scale,
        borders,
    })
}

/// Returns the target border or class of a table that a CTR selects; 0 if CatBoost ignores it.
///
/// CatBoost's `sum_models` joins CTRs with tables that have fewer classes than those of the training. With two classes,
/// CatBoost's `Borders` takes the second, whatever the border. With more, it would read the next key's counts beyond
/// the last class; a border above the last class has no counts above it.
fn target_border(asked: i64, counts: &CtrTable, index: usize) -> Result<u32, Error> {
    let CtrValues::Classes { classes, .. } = counts.values else {
        return Ok(0);
    };
    if counts.ctr_type == CtrType::Borders && classes == 2 {
        return Ok(0);
    }
    let border = u32::try_from(asked).map_err(|_| {
        Error::model(format!(
            "CTR {index} asks for target border {asked}, which no table has"
        ))
    })?;
    if border < classes {
        return Ok(border);
    }
    Err(Error::unsupported(format!(
        "a CTR of target border {border} with a table of {classes} classes (CTR {index}), where CatBoost reads what is next in memory"
    )))
}

fn lower_table(
    raw: &RawCtrTable,
    features: &mut Features,
    one_hots: &[OneHot],
    has_estimated: bool,
) -> Result<CtrTable, Error> {
    let projection = projection(&raw.base, features, one_hots)?;
    if has_estimated && !projection.one_hots.is_empty() {
        // CatBoost numbers the bins that it hashes here as if there were no bins of texts between floats and one-hots.
        return Err(Error::unsupported(
            "a CTR over one-hot values in a model with text or embedding features, where CatBoost hashes other values than it trained on",
        ));
    }
    let mut order: Vec<usize> = (0..raw.keys.len()).collect();
    order.sort_unstable_by_key(|&entry| raw.keys[entry]);
    let keys: Vec<u64> = order.iter().map(|&entry| raw.keys[entry]).collect();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::model("a table of counts has the same key twice"));
    }
    let wrong = || Error::model("a table of counts has not as many counts as keys");
    let values = match (&raw.values, raw.base.ctr_type) {
        (RawCtrValues::Classes { classes, counts }, CtrType::Borders | CtrType::Buckets) => {
            let least = if raw.base.ctr_type == CtrType::Borders {
                2
            } else {
                1
            };
            let classes = u32::try_from(*classes)
                .ok()
                .filter(|&classes| classes >= least)
                .ok_or_else(wrong)?;
            let stride = classes as usize;
            if Some(counts.len()) != keys.len().checked_mul(stride) {
                return Err(wrong());
            }
            let entry = |&entry: &usize| &counts[entry * stride..][..stride];
            CtrValues::Classes {
                classes,
                counts: order.iter().flat_map(entry).copied().collect(),
            }
        }
        (
            RawCtrValues::Counts {
                denominator,
                counts,
            },
            CtrType::Counter | CtrType::FeatureFreq,
        ) => {
            if counts.len() != keys.len() {
                return Err(wrong());
            }
            let counts = order.iter().map(|&entry| counts[entry]).collect();
            CtrValues::Counts {
                denominator: *denominator,
                counts,
            }
        }
        (
            RawCtrValues::Means(means),
            CtrType::BinarizedTargetMeanValue | CtrType::FloatTargetMeanValue,
        ) => {
            if means.len() != keys.len() {
                return Err(wrong());
            }
            CtrValues::Means(order.iter().map(|&entry| means[entry]).collect())
        }
        _ => {
            return Err(Error::model(
                "a table of counts does not hold what its CTR type counts",
            ));
        }
    };
    Ok(CtrTable {
        projection,
        ctr_type: raw.base.ctr_type,
        keys,
        values,
    })
}

fn projection(
    base: &RawCtrBase,
    features: &mut Features,
    one_hots: &[OneHot],
) -> Result<Projection, Error> {
    let cats = base
        .cats
        .iter()
        .map(|&cat| features.use_cat(cat))
        .collect::<Result<Vec<_>, _>>()?;
    let floats = base
        .floats
        .iter()
        .map(|&(index, border)| features.border(index, border));
    let floats = floats.collect::<Result<Vec<_>, _>>()?;
    let one_hot = |&(index, value): &(i64, i32)| {
        let cat = features.use_cat(index)?;
        let place = one_hots.iter().position(|one_hot| one_hot.cat == cat);
        let value = place.and_then(|place| {
            let value = one_hots[place]
                .values
                .iter()
                .position(|&other| other == value)?;
            Some((OneHotIdx(place as u32), value as u32))
        });
        value.ok_or_else(|| {
            Error::model(format!(
                "a CTR asks for a one-hot value of categorical feature {index}, which does not have it"
            ))
        })
    };
    let one_hots = base
        .one_hots
        .iter()
        .map(one_hot)
        .collect::<Result<_, _>>()?;
    Ok(Projection {
        cats,
        floats,
        one_hots,
    })
}
