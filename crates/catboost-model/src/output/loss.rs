//! Loss of the training: `params.loss_function`, or else `loss_function`.
//!
//! CatBoost's rule is `GetLossDescription` of `catboost/libs/model/model.cpp`, and `TLossDescription::Load` with
//! `CheckedLoad` and `TLossParams` (`catboost/private/libs/options/loss_description.cpp`, `json_helper.h`).

use std::collections::BTreeSet;

use super::{OutputError, metadata::Json};

/// CatBoost's losses and metrics (`ELossFunction` in `catboost/private/libs/options/enums.h`). It predicts for no
/// others.
#[rustfmt::skip]
const LOSSES: &[&str] = &[
    "Logloss", "CrossEntropy", "CtrFactor", "Focal", "RMSE", "LogCosh", "Lq", "MAE", "Quantile", "MultiQuantile", "Expectile",
    "LogLinQuantile", "MAPE", "Poisson", "MSLE", "MedianAbsoluteError", "SMAPE", "Huber", "Tweedie", "Cox", "RMSEWithUncertainty",
    "MultiClass", "MultiClassOneVsAll", "PairLogit", "PairLogitPairwise", "YetiRank", "YetiRankPairwise", "QueryRMSE",
    "GroupQuantile", "QuerySoftMax", "QueryCrossEntropy", "StochasticFilter", "LambdaMart", "StochasticRank",
    "PythonUserDefinedPerObject", "PythonUserDefinedMultiTarget", "UserPerObjMetric", "UserQuerywiseMetric", "R2", "NumErrors",
    "FairLoss", "AUC", "Accuracy", "BalancedAccuracy", "BalancedErrorRate", "BrierScore", "Precision", "Recall", "F1", "TotalF1",
    "F", "MCC", "ZeroOneLoss", "HammingLoss", "HingeLoss", "Kappa", "WKappa", "LogLikelihoodOfPrediction", "NormalizedGini",
    "PRAUC", "PairAccuracy", "AverageGain", "QueryAverage", "QueryAUC", "PFound", "PrecisionAt", "RecallAt", "MAP", "NDCG", "DCG",
    "FilteredDCG", "MRR", "ERR", "SurvivalAft", "MultiRMSE", "MultiRMSEWithMissingValues", "MultiLogloss", "MultiCrossEntropy",
    "Combination",
];

/// Loss of a description without a type.
const DEFAULT: &str = "RMSE";

/// Losses whose models classify even if they name no classes (`IsClassificationObjective`).
const CLASSIFYING: [&str; 7] = [
    "Logloss",
    "CrossEntropy",
    "MultiClass",
    "MultiClassOneVsAll",
    "MultiLogloss",
    "MultiCrossEntropy",
    "Focal",
];

/// Returns true if a model of this loss classifies even if it names no classes.
pub(super) fn classifies(loss: &str) -> bool {
    CLASSIFYING.contains(&loss)
}

/// Returns the loss by its name; empty if the file does not say. If both texts are present, both are checked.
pub(super) fn name(loss_function: Option<&str>, params: &Json) -> Result<String, OutputError> {
    let mut name = String::new();
    if let Some(text) = loss_function {
        name = described(&Json::read(text))?;
    }
    if let Some(loss) = params.get("loss_function") {
        name = described(loss)?;
    }
    Ok(name)
}

/// Reads a description: an object with `type` and `params`. Anything else describes nothing.
fn described(loss: &Json) -> Result<String, OutputError> {
    let error = |what: &str| OutputError(format!("model info, `loss_function`: {what}"));
    let name = match loss.get("type") {
        None => DEFAULT,
        Some(name) => name
            .text()
            .filter(|name| LOSSES.contains(name))
            .ok_or_else(|| error("`type` is no loss that CatBoost knows"))?,
    };
    if let Some(params) = loss.get("params") {
        check(params).map_err(error)?;
    }
    for (key, _) in loss.entries() {
        if key != "type" && key != "params" {
            return Err(error(&format!(
                "CatBoost knows no `{}` there",
                key.escape_debug()
            )));
        }
    }
    Ok(name.to_owned())
}

/// Checks parameters: an object of texts, or a list of pairs of texts with distinct names.
fn check(params: &Json) -> Result<(), &'static str> {
    match params {
        Json::Map(map) => {
            let all = map.values().all(|value| value.text().is_some());
            all.then_some(()).ok_or("a parameter is no string")
        }
        Json::List(pairs) => {
            let mut names = BTreeSet::new();
            for pair in pairs {
                let [name, value] = pair.elements() else {
                    return Err("a parameter is no pair");
                };
                let (Some(name), Some(_)) = (name.text(), value.text()) else {
                    return Err("a parameter is no pair of strings");
                };
                if !names.insert(name) {
                    return Err("a parameter is there twice");
                }
            }
            Ok(())
        }
        _ => Err("`params` is neither an object nor a list of pairs"),
    }
}
