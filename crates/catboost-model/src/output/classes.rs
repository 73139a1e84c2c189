//! Classes of a model: `class_params`, or `multiclass_params` in old files.
//!
//! CatBoost's rule is in `catboost/private/libs/options/class_label_options.cpp` (contents of the text),
//! `catboost/private/libs/labels/external_label_helper.cpp` (which raw value belongs to which class) and
//! `GetModelClassLabels` of `catboost/libs/model/model.cpp` (names).

use super::{Label, OutputError, metadata::Json};
use crate::limits::MAX_DIMENSION;

/// Upper bound on the classes of a row.
const MAX_CLASSES: usize = MAX_DIMENSION as usize;

/// Contents of `class_params`.
pub(super) struct ClassParams {
    key: &'static str,
    /// Class of each raw value as a number: a label if the training was not given classes, else the index of a class.
    to_label: Vec<f32>,
    names: Vec<Json>,
    /// Number of classes that the training was given; CatBoost keeps the low 32 bits.
    count: i32,
}

impl ClassParams {
    /// Reads the text of `key`.
    pub(super) fn read(key: &'static str, text: &str) -> Result<Self, OutputError> {
        let json = Json::read(text);
        let error = |what: String| OutputError(format!("model info, `{key}`: {what}"));
        let mut params = Self {
            key,
            to_label: Vec::new(),
            names: Vec::new(),
            count: 0,
        };
        let mut floats = false;
        if let Some(kind) = json.get("class_label_type") {
            match kind.text() {
                Some("Float") => floats = true,
                Some("Boolean" | "Integer" | "String" | "None") => {}
                _ => {
                    return Err(error(
                        "`class_label_type` is none of Boolean, Integer, Float, String and None"
                            .to_owned(),
                    ));
                }
            }
        }
        if let Some(labels) = json.get("class_to_label") {
            let labels = labels.elements().iter();
            let labels = labels.map(|label| label.double().map(|label| label as f32));
            params.to_label = labels
                .collect::<Option<_>>()
                .ok_or_else(|| error("`class_to_label` is no list of numbers".to_owned()))?;
        }
        if let Some(names) = json.get("class_names") {
            params.names = names.elements().to_vec();
            if floats {
                params.names.iter_mut().for_each(whole_to_float);
            }
        }
        if let Some(count) = json.get("classes_count") {
            let count = count
                .integer()
                .ok_or_else(|| error("`classes_count` is no whole number".to_owned()))?;
            params.count = count as i32;
        }
        for (name, _) in json.entries() {
            if ![
                "class_label_type",
                "class_to_label",
                "class_names",
                "classes_count",
            ]
            .contains(&name.as_str())
            {
                return Err(error(format!(
                    "CatBoost knows no `{}` there",
                    name.escape_debug()
                )));
            }
        }
        if params.to_label.is_empty() {
            return Err(error(
                "`class_to_label` is missing or empty: CatBoost refuses to predict with the model"
                    .to_owned(),
            ));
        }
        Ok(params)
    }

    fn error(&self, what: &str) -> OutputError {
        OutputError(format!("model info, `{}`: {what}", self.key))
    }

    /// Number of classes that the training was given; 0 if it found them in the data.
    fn specified(&self) -> usize {
        usize::try_from(self.count)
            .unwrap_or(0)
            .max(self.names.len())
    }

    /// Returns the number of scores per row, and the index among them of each of the model's `dimension` raw values.
    /// With a single index, or a model of one raw value, raw values are left as they are.
    pub(super) fn places(&self, dimension: usize) -> Result<(usize, Vec<usize>), OutputError> {
        let specified = self.specified();
        if specified.max(self.to_label.len()) > MAX_CLASSES {
            let classes = specified.max(self.to_label.len());
            return Err(self.error(&format!(
                "{classes} classes; at most {MAX_CLASSES} are supported"
            )));
        }
        if specified > 0 {
            self.check_names()?;
        }
        let (places, labels) = match specified {
            0 => (self.to_label.len(), None),
            specified => (specified, Some(&self.to_label)),
        };
        if dimension == 1 || places == 1 {
            return Ok((dimension, (0..dimension).collect()));
        }
        if self.to_label.len() < dimension {
            return Err(self.error(&format!(
                "`class_to_label` names {} classes, expected {dimension}, one a raw score",
                self.to_label.len()
            )));
        }
        let place = |index: usize| {
            let label = labels.map_or(index as f32, |labels| labels[index]);
            // CatBoost would access memory out of bounds.
            usize::try_from(truncated(label))
                .ok()
                .filter(|&place| place < places)
                .ok_or_else(|| self.error(&format!("there is no class number {label}")))
        };
        let each = (0..dimension).map(place).collect::<Result<_, _>>()?;
        Ok((places, each))
    }

    fn check_names(&self) -> Result<(), OutputError> {
        super::check_names(&self.names).map_err(|what| self.error(what))
    }

    /// Returns the names of the classes.
    pub(super) fn labels(&self) -> Result<Vec<Label>, OutputError> {
        if !self.names.is_empty() {
            return Ok(super::labels(&self.names));
        }
        match usize::try_from(self.count) {
            Ok(0) => {
                let labels = self.to_label.iter();
                Ok(labels
                    .map(|&label| Label::Int(truncated(label).into()))
                    .collect())
            }
            Ok(count) => Ok(super::numbered(count)),
            Err(_) => Err(self.error("`classes_count` is less than 0")),
        }
    }
}

/// Converts whole numbers to floats, since JSON does not distinguish them.
fn whole_to_float(name: &mut Json) {
    if let Json::Int(value) = *name {
        *name = Json::Double(value as f64);
    }
}

/// Converts a float as x86's instruction does, by truncation.
fn truncated(label: f32) -> i32 {
    let whole = label.trunc();
    if whole >= i32::MIN as f32 && whole < -(i32::MIN as f32) {
        whole as i32
    } else {
        i32::MIN
    }
}
