//! Which binarization of the target a CTR counts: what a document of CatBoost's own may leave open.
//!
//! With a loss of several targets, or several binarizations of one, there are several tables of counts for one
//! combination of features. CatBoost names them as if there were one, and of several with one name it writes the last.

use std::collections::{BTreeMap, BTreeSet};

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

/// Refuses a document whose CTRs of these types do not say which table they look up, if the training's parameters (in
/// `info`) made several.
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
