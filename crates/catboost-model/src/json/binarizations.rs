//! Detects documents of CatBoost's own that leave open which binarization of the target a CTR counts.
//!
//! With a loss of several targets, or several binarizations of one, a combination of features has several tables of
//! counts. CatBoost gives them all the same name and writes only the last.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use serde::Deserialize;

use super::info::Text;
use crate::{Error, ir::CtrType};

/// Losses that are trained on several targets, each of which has binarizations of its own.
const LOSSES_OF_SEVERAL_TARGETS: [&str; 6] = [
    "MultiLogloss",
    "MultiCrossEntropy",
    "MultiRMSE",
    "MultiRMSEWithMissingValues",
    "SurvivalAft",
    "PythonUserDefinedMultiTarget",
];

/// Refuses a document whose CTRs of these types do not say which table they look up, unless the training parameters (in
/// `info`) imply that there is only one. Nothing else in the document tells two tables with the same name apart.
pub(super) fn check(
    types: &BTreeSet<CtrType>,
    info: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let refuse = |what: &str| {
        Err(Error::unsupported(format!(
            "CTRs of {what}: CatBoost's JSON does not say which of them a table of counts belongs to; use the .cbm file"
        )))
    };
    if types.is_empty() {
        return Ok(());
    }
    let mut described = BTreeSet::new();
    for text in trainings(info)? {
        let params: Params = serde_json::from_str(text).map_err(|_| unknown())?;
        if LOSSES_OF_SEVERAL_TARGETS.contains(&params.loss_function.r#type.as_str()) {
            return refuse("a loss with several targets");
        }
        let several = |&&ctr_type: &&CtrType| params.cat_feature_params.binarizations(ctr_type) > 1;
        if let Some(ctr_type) = types.iter().find(several) {
            return refuse(&format!(
                "type {ctr_type:?} with several binarizations of the target"
            ));
        }
        described.extend(params.cat_feature_params.types());
    }
    if types.is_subset(&described) {
        Ok(())
    } else {
        Err(unknown())
    }
}

/// Returns the parameters of each training: one, or those of the models that were summed, with the keys
/// `model0:params`, `model1:params` and so on.
fn trainings(info: &BTreeMap<String, String>) -> Result<Vec<&str>, Error> {
    let is_params = |name: &str| name == "params" || name.ends_with(":params");
    // `model0:` of `model0:model_guid`, which every part of a sum has.
    let parts = info
        .keys()
        .filter_map(|name| name.strip_suffix("model_guid"));
    let lacks_params = |part: &str| {
        let from = (Bound::Included(part), Bound::Unbounded);
        let names = info.range::<str, _>(from).map(|(name, _)| name);
        !names
            .take_while(|name| name.starts_with(part))
            .any(|name| is_params(name))
    };
    if parts.filter(|part| part.ends_with(':')).any(lacks_params) {
        return Err(unknown());
    }
    let params = info.iter().filter(|(name, _)| is_params(name));
    Ok(params.map(|(_, text)| text.as_str()).collect())
}

fn unknown() -> Error {
    Error::unsupported(
        "CTRs without the parameters of the training (model_info.params): only these say whether the target was binarized in \
         one way, as CatBoost's JSON takes for granted; use the .cbm file",
    )
}

/// Training parameters that matter here.
#[derive(Deserialize)]
struct Params {
    loss_function: LossFunction,
    cat_feature_params: CatFeatureParams,
}

#[derive(Deserialize)]
struct LossFunction {
    r#type: String,
}

#[derive(Deserialize)]
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
    /// Only compared for equality; JSON.
    target_binarization: Option<Text>,
}

impl CatFeatureParams {
    fn descriptions(&self) -> impl Iterator<Item = &Description> {
        let lists = [&self.simple_ctrs, &self.combinations_ctrs];
        lists
            .into_iter()
            .chain(self.per_feature_ctrs.values())
            .flatten()
    }

    /// Types of CTR that the training was configured to try.
    fn types(&self) -> impl Iterator<Item = CtrType> {
        self.descriptions().map(|description| description.ctr_type)
    }

    /// Number of binarizations of the target for CTRs of a type.
    fn binarizations(&self, ctr_type: CtrType) -> usize {
        let of_type = self
            .descriptions()
            .filter(|description| description.ctr_type == ctr_type);
        let different: BTreeSet<&str> = of_type
            .filter_map(|description| description.target_binarization.as_ref())
            .map(|Text(json)| json.as_str())
            .collect();
        different.len()
    }
}
