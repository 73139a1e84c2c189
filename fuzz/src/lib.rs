//! Shared parts of the fuzz targets: a memory limit, and rows that fit a model.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use catboost_model::{
    eval::{self, Row},
    ir::Model,
};

/// Memory limit that depends on a file's length.
#[derive(Clone, Copy)]
pub struct Bound {
    /// Bytes per byte of the file.
    pub per_byte: usize,
    /// Bytes for a file of any length.
    pub any_file: usize,
}

/// Limit for reading: beside the file's content, messages and hash tables of a few entries.
const READING: Bound = Bound {
    per_byte: 20,
    any_file: 64 << 10,
};
/// Limit for generating code from a file of at most 64 KiB. A table of the trees' bits may have 2 MiB; a calcer's table
/// has a number per token and class, and a combination's a number per key and CTR.
pub const GENERATING: Bound = Bound {
    per_byte: 1_000,
    any_file: 16 << 20,
};

/// Limit for loading: reading, tables of 6 bytes per byte that are required, and as many that save time.
pub const LOADING: Bound = Bound {
    per_byte: 20,
    any_file: 1 << 20,
};

/// Allocator that counts.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call is passed to the system's allocator.
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
/// If `read` exceeds the limit for reading.
pub fn bounded<T>(file: &[u8], read: impl FnOnce(&[u8]) -> T) -> T {
    bounded_by(READING, file, read)
}

/// Runs `read` on a file.
///
/// # Panics
/// If `read` exceeds `bound`.
pub fn bounded_by<T>(bound: Bound, file: &[u8], read: impl FnOnce(&[u8]) -> T) -> T {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = read(file);
    let taken = PEAK.load(Relaxed) - before;
    let bound = file.len() * bound.per_byte + bound.any_file;
    assert!(taken <= bound, "{taken} bytes for a file of {}", file.len());
    result
}

/// Interprets a model on a few rows, which shows that every index in it is in range. Calls `check` with each row and
/// its raw values.
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
