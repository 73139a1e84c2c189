//! Limits of a model file. Everything else is bounded by the file's length. A file beyond a limit is reported as
//! unsupported, by name of the limit, since it need not be damaged.

/// Levels of a tree. CatBoost trains at most 16.
pub(crate) const MAX_DEPTH: usize = crate::ir::MAX_DEPTH;
/// Nodes on a path of a non-symmetric tree. CatBoost has no limit; a `Lossguide` tree can be as deep as it has leaves.
pub(crate) const MAX_NON_SYMMETRIC_DEPTH: usize = 100;
/// Borders of a feature. CatBoost's own limit is 65,535.
pub(crate) const MAX_BORDERS: usize = 65_535;
/// One-hot values of a feature: their bins are 16-bit numbers.
pub(crate) const MAX_ONE_HOT_VALUES: usize = 65_535;
/// Raw values per row, and classes.
pub(crate) const MAX_DIMENSION: i64 = 65_536;
/// Raw values per row if the file itself has fewer leaf values and biases.
pub(crate) const MAX_EMPTY_DIMENSION: i64 = 1_024;
/// Words of an n-gram: CatBoost's own limit.
pub(crate) const MAX_GRAM_ORDER: u32 = 5;
/// Classes of a text calcer times the tokens of its dictionary, summed over all calcers: the size of a table in a
/// compiled model.
pub(crate) const MAX_CLASS_TOKENS: usize = 1 << 24;
/// Entries of dictionaries, counted once per use: a compiled model has a table for each use.
pub(crate) const MAX_DICTIONARY_ENTRIES: usize = 1 << 24;
/// Keys of the tables that a combination's CTRs look up, times those CTRs, summed over all combinations, in a file with few
/// keys: the size of a table in a model that is laid out.
pub(crate) const MAX_CTR_KEYS: usize = 1 << 26;
/// CTRs of each key in a file with many keys. A feature of ten classes has 28 by default.
pub(crate) const MAX_CTRS_OF_KEY: usize = 64;
/// Bytes read per byte of a `.cbm` file, before its features are checked: its parts may overlap.
pub(crate) const BYTES_READ_PER_BYTE: usize = 4;
/// Neighbors that a KNN calcer counts: CatBoost keeps at most 300 points.
pub(crate) const MAX_KNN_NEIGHBORS: u32 = 300;
/// Length of an embedding.
pub(crate) const MAX_EMBEDDING: usize = 65_536;
