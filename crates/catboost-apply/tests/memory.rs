//! Memory of loading a model, which is proportional to the file, and of evaluating rows, which is none.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use catboost_apply::{FeatureKind, Model, Row};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static COUNT: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call is passed to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Relaxed);
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

fn models() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let entries = fs::read_dir(folder).expect("there is a folder of models");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let models = paths.filter(|path| path.extension().is_some_and(|extension| extension == "cbm"));
    models.collect()
}

/// A single test, since all threads share the counters.
#[test]
fn loading_takes_memory_in_proportion_and_rows_take_none() {
    let models = models();
    assert!(models.len() > 100);
    for path in &models {
        let file = fs::read(path).expect("a file");
        let before = NOW.load(Relaxed);
        PEAK.store(before, Relaxed);
        let model = Model::from_bytes(&file).expect("a model");
        let peak = PEAK.load(Relaxed) - before;
        let bound = 20 * file.len() + (1 << 20);
        assert!(peak <= bound, "{}: {peak} of {bound} bytes", path.display());

        let count = |kind| {
            let features = model.features().iter();
            features.filter(|feature| feature.kind == kind).count()
        };
        let embeddings = model.features().iter();
        let embeddings = embeddings.filter(|feature| feature.kind == FeatureKind::Embedding);
        let embeddings: Vec<Vec<f32>> = embeddings
            .map(|feature| vec![0.5; feature.dimension])
            .collect();
        let row = Row {
            floats: &vec![0.5; count(FeatureKind::Numeric)],
            cats: &vec!["a"; count(FeatureKind::Categorical)],
            texts: &vec!["a b"; count(FeatureKind::Text)],
            embeddings: &embeddings.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        };
        let mut raw = vec![0.0; model.dimension()];
        model.raw_into(&row, &mut raw).expect("a row");
        let before = COUNT.load(Relaxed);
        model.raw_into(&row, &mut raw).expect("a row");
        let allocations = COUNT.load(Relaxed) - before;
        let name = path.file_stem().expect("a name").to_string_lossy();
        // Uncommon tokenizers and dictionaries, and searches of neighbors, allocate; so do more values than fit on the
        // stack.
        let is_common = !(name.starts_with("text_")
            || name.contains("embedding")
            || name.starts_with("many_floats"));
        assert!(
            allocations == 0 || !is_common,
            "{name}: {allocations} allocations"
        );
    }
}
