//! What a model file may ask for. Everything else is bounded by the file's own length. What asks for more is not supported,
//! by name: it need not be damaged.

/// Levels of a tree. CatBoost trains 16 at most.
pub(crate) const MAX_DEPTH: usize = crate::ir::MAX_DEPTH;
/// Nodes on a way down a non-symmetric tree. CatBoost has no limit; `Lossguide` trees can be as deep as they have leaves.
pub(crate) const MAX_NON_SYMMETRIC_DEPTH: usize = 100;
/// Borders of a feature. CatBoost's own limit is 65,535.
pub(crate) const MAX_BORDERS: usize = 65_535;
/// One-hot values of a feature: their bins are numbers of 16 bits.
pub(crate) const MAX_ONE_HOT_VALUES: usize = 65_535;
/// Raw values of a row, and classes.
pub(crate) const MAX_DIMENSION: i64 = 65_536;
/// Raw values of a row if the file itself does not have so many, neither as leaf values nor as biases.
pub(crate) const MAX_EMPTY_DIMENSION: i64 = 1_024;
/// Words of an n-gram: CatBoost's own limit.
pub(crate) const MAX_GRAM_ORDER: u32 = 5;
/// Classes of a text calcer times the tokens that a dictionary gives it, over all calcers: a compiled model has a table of
/// them.
pub(crate) const MAX_CLASS_TOKENS: usize = 1 << 24;
/// Entries of dictionaries, each time that a text is looked up in them: a compiled model has a table for each time.
pub(crate) const MAX_DICTIONARY_ENTRIES: usize = 1 << 24;
/// Keys of the tables that a combination's CTRs look up, times those CTRs, over all combinations: a compiled model has a
/// table of them.
pub(crate) const MAX_CTR_KEYS: usize = 1 << 26;
/// How many bytes may be made of a byte of a `.cbm` file, before its features are checked: its parts may overlap.
pub(crate) const BYTES_READ_PER_BYTE: usize = 4;
/// Neighbors that a KNN calcer counts: CatBoost looks at 300 points at most.
pub(crate) const MAX_KNN_NEIGHBORS: u32 = 300;
/// Numbers of an embedding.
pub(crate) const MAX_EMBEDDING: usize = 65_536;
