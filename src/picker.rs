//! The model that answers: the one that was compiled in, or one that was loaded from a file.

use std::path::Path;
use std::sync::Arc;

use crate::derived::{self, Observed};
use crate::explanation::{self, Explanation, pick_regno_explained};
use crate::loaded::{Loaded, Unusable};
use crate::model;
use crate::pick_regno::{Answer, Blocks, Watcher, pick_regno_watched};
use crate::request::Request;

/// A model that answers. A clone is cheap.
#[derive(Clone)]
pub enum Picker {
    /// The compiled model.
    Compiled,
    /// A model of `--model FILE`.
    Loaded(Arc<Loaded>),
}

impl Picker {
    /// The model of `file`, or the compiled one.
    ///
    /// # Errors
    /// If the file cannot be read, or is not a model that takes the inputs which are derived.
    pub fn load(file: Option<&Path>) -> Result<Picker, Unusable> {
        file.map_or(Ok(Picker::Compiled), |file| {
            Loaded::load(file).map(Arc::new).map(Picker::Loaded)
        })
    }

    /// SHA-256 of the model file, in lower-case hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        match self {
            Picker::Compiled => model::SHA256,
            Picker::Loaded(loaded) => loaded.sha256(),
        }
    }

    /// The model card: JSON.
    #[must_use]
    pub fn card(&self) -> &str {
        match self {
            Picker::Compiled => model::CARD,
            Picker::Loaded(loaded) => loaded.card(),
        }
    }

    /// The features that a watcher is told of.
    #[must_use]
    pub fn observed(&self) -> &Observed {
        match self {
            Picker::Compiled => &derived::COMPILED,
            Picker::Loaded(loaded) => loaded.observed(),
        }
    }

    /// Answers one request; `watcher` is told what is met on the way.
    #[inline]
    pub fn pick(&self, request: &Request<'_>, watcher: &mut impl Watcher) -> Answer {
        match self {
            Picker::Compiled => pick_regno_watched(request, watcher),
            Picker::Loaded(loaded) => loaded.pick(request, watcher),
        }
    }

    /// Answers requests in order, step by step over all of them, in the memory of `blocks`; `watcher` is told what is met
    /// on the way, except for leaves.
    pub fn pick_all<'a, 'b>(
        &self,
        requests: impl Iterator<Item = &'a Request<'a>>,
        watcher: &mut impl Watcher,
        blocks: &'b mut Blocks,
    ) -> &'b [Answer] {
        match self {
            Picker::Compiled => blocks.answer(requests, watcher),
            Picker::Loaded(loaded) => loaded.pick_all(requests, watcher, blocks),
        }
    }

    /// Answers one request and explains the answer; `watcher` is told what is met on the way.
    ///
    /// # Panics
    /// If answers cannot be explained: [`Picker::unexplained`].
    pub fn pick_explained(
        &self,
        request: &Request<'_>,
        watcher: &mut impl Watcher,
    ) -> (Answer, Explanation) {
        match self {
            Picker::Compiled => pick_regno_explained(request, watcher),
            Picker::Loaded(loaded) => loaded.pick_explained(request, watcher),
        }
    }

    /// Why answers cannot be explained; `None` if they can.
    #[must_use]
    pub fn unexplained(&self) -> Option<&str> {
        match self {
            Picker::Compiled => explanation::unexplained(),
            Picker::Loaded(loaded) => loaded.unexplained(),
        }
    }

    /// Returns whether explanations take additions alone: the program has the tables for it.
    #[must_use]
    pub fn explains_fast(&self) -> bool {
        matches!(self, Picker::Compiled) && explanation::is_fast()
    }
}
