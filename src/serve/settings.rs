//! Settings, and the files that they name.

pub(crate) mod config;
pub(crate) mod files;
pub(crate) mod keys;
pub(crate) mod model;
pub(crate) mod reload;
pub(crate) mod room;
pub(crate) mod tls;
