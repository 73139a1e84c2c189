//! What the fuzz targets share: a bound on memory, and models that fit the bytes.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use catboost_model::{
    eval::{self, Row},
    ir::Model,
};

/// How much memory something may take for a file.
#[derive(Clone, Copy)]
pub struct Bound {
    /// Bytes a byte of the file.
    pub per_byte: usize,
    /// Bytes whatever the file's length.
    pub any_file: usize,
}

/// Reading: beside what is in the file, messages and hash tables of a few entries.
const READING: Bound = Bound {
    per_byte: 20,
    any_file: 64 << 10,
};
/// Generating code for a file of 64 KiB at most. A table of the trees' bits may have 2 MiB; one of a calcer's tokens has a
/// number for each class, and one of a combination of categories a number for each CTR.
pub const GENERATING: Bound = Bound {
    per_byte: 1_000,
    any_file: 16 << 20,
};

/// Loading: reading, and tables of 6 bytes a byte that are needed, and as many that save time.
pub const LOADING: Bound = Bound {
    per_byte: 20,
    any_file: 1 << 20,
};

/// Counts what is allocated.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: all is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Runs `read` on a file.
///
/// # Panics
/// If it takes more memory at a time than a reader may.
pub fn bounded<T>(file: &[u8], read: impl FnOnce(&[u8]) -> T) -> T {
    bounded_by(READING, file, read)
}

/// Runs `read` on a file.
///
/// # Panics
/// If it takes more memory at a time than `bound`.
pub fn bounded_by<T>(bound: Bound, file: &[u8], read: impl FnOnce(&[u8]) -> T) -> T {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = read(file);
    let taken = PEAK.load(Relaxed) - before;
    let bound = file.len() * bound.per_byte + bound.any_file;
    assert!(taken <= bound, "{taken} bytes for a file of {}", file.len());
    result
}

/// Interprets a model on a few rows: nothing in it may lead anywhere that does not exist. Calls `check` with each row and its raw
/// values.
pub fn evaluate(model: &Model, check: impl Fn(&Row, &[f64])) {
    let embeddings: Vec<Vec<f32>> = model
        .embedding_features
        .iter()
        .map(|feature| vec![0.5; feature.dimension])
        .collect();
    let embeddings: Vec<&[f32]> = embeddings.iter().map(Vec::as_slice).collect();
    for (number, word) in [(0.0, ""), (f32::NAN, "one two  two"), (f32::INFINITY, "7")] {
        let row = Row {
            floats: &vec![number; model.float_features.len()],
            cats: &vec![word; model.cat_features.len()],
            texts: &vec![word; model.text_features.len()],
            embeddings: &embeddings,
        };
        let raw = eval::raw(model, &row);
        assert_eq!(raw.len(), model.dimension);
        check(&row, &raw);
    }
}
