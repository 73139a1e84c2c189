//! What the fuzz targets share: a bound on memory, and models that fit the bytes.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use catboost_model::{
    eval::{self, Row},
    ir::Model,
};

/// Memory that a reader may take, in bytes a byte of the file.
const BYTES_PER_BYTE: usize = 20;
/// Memory that it may take whatever the file's length: messages, hash tables of a few entries.
const BYTES: usize = 64 << 10;

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
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = read(file);
    let taken = PEAK.load(Relaxed) - before;
    let bound = file.len() * BYTES_PER_BYTE + BYTES;
    assert!(taken <= bound, "{taken} bytes for a file of {}", file.len());
    result
}

/// Interprets a model on a few rows: nothing in it may lead anywhere that does not exist.
pub fn evaluate(model: &Model) {
    let embeddings: Vec<Vec<f32>> = model
        .embedding_features
        .iter()
        .map(|feature| vec![0.5; feature.dimension])
        .collect();
    let embeddings: Vec<&[f32]> = embeddings.iter().map(Vec::as_slice).collect();
    for (number, word) in [(0.0, ""), (f32::NAN, "one two  two"), (f32::INFINITY, "7")] {
        let raw = eval::raw(
            model,
            &Row {
                floats: &vec![number; model.float_features.len()],
                cats: &vec![word; model.cat_features.len()],
                texts: &vec![word; model.text_features.len()],
                embeddings: &embeddings,
            },
        );
        assert_eq!(raw.len(), model.dimension);
    }
}
