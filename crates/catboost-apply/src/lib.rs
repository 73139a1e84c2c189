//! Loads CatBoost models at run time.

mod error;
mod input;
#[doc(hidden)]
pub mod layout;
mod model;
mod schema;

pub use catboost_runtime::predict::{FeatureKind, Label, Predict, Row, RowError};
pub use error::Error;
pub use input::{Input, Key, Value};
pub use model::Model;
pub use schema::{Feature, Position};
