//! API: routes, requests, and answers.

pub(crate) mod admin;
pub(crate) mod admit;
pub(crate) mod answers;
pub(crate) mod batch;
pub(crate) mod bodies;
pub(crate) mod broken;
pub(crate) mod delayed;
pub(crate) mod discard;
pub(crate) mod docs;
pub(crate) mod infer;
pub(crate) mod ledger;
pub(crate) mod media;
pub(crate) mod reg;
pub(crate) mod route;
pub(crate) mod routes;
pub(crate) mod rows;
