//! CTRs and the tables that they look up.

use std::collections::HashMap;

use super::features::Features;
use crate::{
    Error,
    ir::{Ctr, CtrTable, CtrType, CtrValues, OneHot, OneHotIdx, Projection, TableIdx},
    limits::{MAX_CTR_KEYS, MAX_CTRS_OF_KEY},
    raw::{RawCtr, RawCtrBase, RawCtrTable, RawCtrValues},
};

pub(super) fn check_borders(ctrs: &[RawCtr]) -> Result<(), Error> {
    let mut ctrs = ctrs.iter().enumerate();
    ctrs.try_for_each(|(index, ctr)| super::check_borders(&ctr.borders, || format!("CTR {index}")))
}

/// CTRs whose borders are checked, and the tables that they look up.
pub(super) fn lower(
    ctrs: Vec<RawCtr>,
    tables: Vec<RawCtrTable>,
    features: &mut Features,
    one_hots: &[OneHot],
    has_estimated: bool,
) -> Result<(Vec<Ctr>, Vec<CtrTable>), Error> {
    let tables = tables.into_iter();
    let (bases, mut tables): (Vec<_>, Vec<_>) = tables
        .map(|table| (table.base, Some((table.keys, table.values))))
        .unzip();
    let mut by_base: HashMap<_, Vec<usize>> = HashMap::new();
    for (table, base) in bases.iter().enumerate() {
        by_base.entry(Key::of(base)).or_default().push(table);
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
                let projection = projection(&bases[table], features, one_hots)?;
                if has_estimated && !projection.one_hots.is_empty() {
                    // CatBoost numbers the bins that it hashes here as if there were no bins of texts between floats and one-hots.
                    return Err(Error::unsupported(
                        "a CTR over one-hot values in a model with text or embedding features, where CatBoost hashes other values than it trained on",
                    ));
                }
                let (keys, values) = tables[table].take().expect("a table is lowered once");
                let (keys, values) = lower_counts(bases[table].ctr_type, keys, values)?;
                let counts = CtrTable {
                    projection,
                    ctr_type: bases[table].ctr_type,
                    keys,
                    values,
                };
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
    let keys: usize = tables.iter().map(|table| table.keys.len()).sum();
    let most = MAX_CTR_KEYS.max(keys.saturating_mul(MAX_CTRS_OF_KEY));
    match pairs <= most {
        true => Ok(()),
        false => Err(Error::unsupported(format!(
            "{pairs} pairs of a CTR and a key that it looks up; at most {most} are in a file with {keys} keys"
        ))),
    }
}

fn lower_ctr(raw: RawCtr, table: TableIdx, counts: &CtrTable, index: usize) -> Result<Ctr, Error> {
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

/// Puts keys and their counts in the order of the keys. They may be many: where they are in order, they stay
/// as they are.
///
/// # Errors
/// If there are not as many counts as the keys and classes imply, a key is there twice, or the counts are not
/// those of the type.
fn lower_counts(
    ctr_type: CtrType,
    keys: Vec<u64>,
    values: RawCtrValues,
) -> Result<(Vec<u64>, CtrValues), Error> {
    let wrong = || Error::model("a table of counts has not as many counts as keys");
    let held = match &values {
        RawCtrValues::Classes { classes, counts } => {
            let least = if ctr_type == CtrType::Borders { 2 } else { 1 };
            let stride = usize::try_from(*classes)
                .ok()
                .filter(|&classes| classes >= least && u32::try_from(classes).is_ok())
                .ok_or_else(wrong)?;
            counts
                .len()
                .is_multiple_of(stride)
                .then(|| counts.len() / stride)
        }
        RawCtrValues::Counts { counts, .. } => Some(counts.len()),
        RawCtrValues::Means(means) => Some(means.len()),
    };
    if held != Some(keys.len()) {
        return Err(wrong());
    }
    let order = Order::of(&keys);
    let keys = order.sort(keys, 1);
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::model("a table of counts has the same key twice"));
    }
    let values = match (values, ctr_type) {
        (RawCtrValues::Classes { classes, counts }, CtrType::Borders | CtrType::Buckets) => {
            CtrValues::Classes {
                classes: classes as u32,
                counts: order.sort(counts, classes as usize),
            }
        }
        (
            RawCtrValues::Counts {
                denominator,
                counts,
            },
            CtrType::Counter | CtrType::FeatureFreq,
        ) => CtrValues::Counts {
            denominator,
            counts: order.sort(counts, 1),
        },
        (
            RawCtrValues::Means(means),
            CtrType::BinarizedTargetMeanValue | CtrType::FloatTargetMeanValue,
        ) => CtrValues::Means(order.sort(means, 1)),
        _ => {
            return Err(Error::model(
                "a table of counts does not hold what its CTR type counts",
            ));
        }
    };
    Ok((keys, values))
}

/// The order of keys that are not in order.
struct Order(Option<Vec<usize>>);

impl Order {
    fn of(keys: &[u64]) -> Self {
        Self((!keys.is_sorted()).then(|| {
            let mut order: Vec<usize> = (0..keys.len()).collect();
            order.sort_unstable_by_key(|&entry| keys[entry]);
            order
        }))
    }

    /// Puts what each key has, `stride` elements, in their order.
    fn sort<T: Copy>(&self, all: Vec<T>, stride: usize) -> Vec<T> {
        match &self.0 {
            None => all,
            Some(order) => order
                .iter()
                .flat_map(|&entry| &all[entry * stride..][..stride])
                .copied()
                .collect(),
        }
    }
}

/// Resolves a projection: indices of features become positions, borders and hashes their indices. Marks the
/// categorical features as used.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_many_keys_may_look_each_up_64_times() {
        let table = |keys: u64| CtrTable {
            projection: Projection {
                cats: Vec::new(),
                floats: Vec::new(),
                one_hots: Vec::new(),
            },
            ctr_type: CtrType::Counter,
            keys: (0..keys).collect(),
            values: CtrValues::Counts {
                denominator: 1,
                counts: Vec::new(),
            },
        };
        let ctr = Ctr {
            table: TableIdx(0),
            target_border: 0,
            prior_num: 0.0,
            prior_denom: 1.0,
            shift: 0.0,
            scale: 1.0,
            borders: Vec::new(),
        };
        let check = |keys, ctrs| check_size(&vec![ctr.clone(); ctrs], &[table(keys)]);
        // With fewer keys, the bound of any file counts.
        check(1 << 19, 128).expect("2^26 pairs");
        let error = check(1 << 19, 129).expect_err("too many");
        assert_eq!(
            error.to_string(),
            "not supported: 67633152 pairs of a CTR and a key that it looks up; at most 67108864 are in a file with 524288 keys"
        );
        check((1 << 20) + 1, 64).expect("64 of each key");
        let error = check((1 << 20) + 1, 65).expect_err("too many");
        assert_eq!(
            error.to_string(),
            "not supported: 68157505 pairs of a CTR and a key that it looks up; at most 67108928 are in a file with 1048577 keys"
        );
    }
}
