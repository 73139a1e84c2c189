//! Memory that reading a file takes, counted at the allocator: at most 20 times the file's length, whatever its
//! contents.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Promised memory per byte of the file.
const BYTES_PER_BYTE: usize = 20;
/// Allowance for a file of any length, in bytes.
const ANY_FILE: usize = 64 << 10;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    /// Zeroed pages that are never touched cost nothing.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A single test: concurrent tests would be counted, too.
#[test]
fn reading_takes_at_most_20_times_the_files_length() {
    for (what, file) in hostile().into_iter().chain(zoo()) {
        let before = NOW.load(Relaxed);
        PEAK.store(before, Relaxed);
        drop(catboost_model::parse(&file));
        let peak = PEAK.load(Relaxed) - before;
        let times = peak as f64 / file.len() as f64;
        println!("{times:>6.1} {what}");
        assert!(
            peak <= file.len() * BYTES_PER_BYTE + ANY_FILE,
            "{what}: {peak} bytes for a file of {}",
            file.len()
        );
    }
}

/// Files with 65,537 small elements. Most of the elements are valid in a model.
fn hostile() -> Vec<(String, Vec<u8>)> {
    const INFO: &str = "{\"features_info\":{},\"scale_and_bias\":[1,0],\"model_info\":{";
    const FEATURES: &str = "{\"scale_and_bias\":[1,0],\"features_info\":{";
    const ONE_HOT: &str =
        "\"categorical_features\":[{\"feature_index\":0,\"flat_feature_index\":0,";
    const FLOAT: &str = "\"float_features\":[{\"feature_index\":0,\"flat_feature_index\":0,\"nan_value_treatment\":\"AsIs\",";
    const TEXT: &str = "{\"features_info\":{},\"scale_and_bias\":[1,0],\"text_processing\":{";
    const COUNTER: &str = "{\"{\\\"identifier\\\":[],\\\"type\\\":\\\"Counter\\\"}\":{\"hash_stride\":2,\"hash_map\":[";
    let trees = |name: &str| format!("{{\"features_info\":{{}},\"{name}\":[");
    let ctr = "{\"elements\":[],\"ctr_type\":\"Counter\",\"target_border_idx\":0,\"prior_numerator\":0,\"prior_denomerator\":0,\"shift\":0,\"scale\":0,\"borders\":[]},";
    // Prefix, element that is repeated (`#` is its number), and suffix.
    let lists: Vec<(String, &str, &str)> = vec![
        (format!("{INFO}\"params\":["), "0,", "]}}"),
        (format!("{INFO}\"params\":["), "[],", "]}}"),
        (format!("{INFO}\"params\":["), "{},", "]}}"),
        (format!("{INFO}\"params\":["), "\"\",", "]}}"),
        (format!("{INFO}\"params\":["), "{\"\":0},", "]}}"),
        (format!("{INFO}\"params\":{{"), "\"\":0,", "}}}"),
        (format!("{INFO}\"params\":{{"), "\"#\":0,", "}}}"),
        (INFO.to_owned(), "\"#\":\"\",", "}}"),
        (INFO.to_owned(), "\"#params\":{},", "}}"),
        (format!("{FEATURES}{ONE_HOT}\"values\":["), "0,", "]}]}}"),
        (format!("{FEATURES}{ONE_HOT}\"values\":["), "#,", "]}]}}"),
        (
            format!("{FEATURES}{ONE_HOT}\"values\":[0],\"string_values\":["),
            "\"\",",
            "]}]}}",
        ),
        (
            format!("{FEATURES}{ONE_HOT}\"values\":[0],\"string_values\":["),
            "\"a\",",
            "]}]}}",
        ),
        (format!("{FEATURES}{FLOAT}\"borders\":["), "0,", "]}]}}"),
        (
            format!("{FEATURES}\"float_features\":["),
            "{\"feature_index\":#,\"flat_feature_index\":#,\"nan_value_treatment\":\"AsIs\",\"borders\":[]},",
            "]}}",
        ),
        (
            format!("{FEATURES}\"categorical_features\":["),
            "{\"feature_index\":#,\"flat_feature_index\":#},",
            "]}}",
        ),
        (
            format!("{FEATURES}\"text_features\":["),
            "{\"feature_index\":#,\"flat_feature_index\":#,\"feature_id\":\"\"},",
            "]}}",
        ),
        (
            format!("{FEATURES}\"estimated_features\":["),
            "{\"calcer\":{\"Text\":0},\"local\":0,\"borders\":[]},",
            "]}}",
        ),
        (
            format!("{FEATURES}\"ctrs\":[{{\"elements\":["),
            "{\"combination_element\":\"cat_feature_value\",\"cat_feature_index\":0},",
            "]}]}}",
        ),
        (
            format!(
                "{{\"scale_and_bias\":[1,0],\"ctr_data\":{COUNTER}]}}}},\"features_info\":{{\"ctrs\":["
            ),
            ctr,
            "]}}",
        ),
        (
            "{\"features_info\":{},\"scale_and_bias\":[1,[".to_owned(),
            "0,",
            "]]}",
        ),
        (trees("oblivious_trees"), "{\"leaf_values\":[]},", "]}"),
        (trees("oblivious_trees"), "{\"leaf_values\":[0]},", "]}"),
        (
            format!("{}{{\"leaf_values\":[", trees("oblivious_trees")),
            "0,",
            "]}]}",
        ),
        (
            format!(
                "{}{{\"leaf_values\":[],\"splits\":[",
                trees("oblivious_trees")
            ),
            "{\"split_index\":0},",
            "]}]}",
        ),
        (trees("trees"), "{\"value\":[]},", "]}"),
        (trees("trees"), "{\"value\":0},", "]}"),
        (trees("trees"), "{\"value\":0,\"weight\":0},", "]}"),
        (
            format!("{{\"features_info\":{{{FLOAT}\"borders\":[0]}}]}},\"trees\":["),
            "{\"split\":{\"split_index\":0},\"left\":{\"value\":0},\"right\":{\"value\":0}},",
            "]}",
        ),
        (
            format!(
                "{FEATURES}\"ctrs\":[{}]}},\"ctr_data\":{COUNTER}",
                ctr.trim_end_matches(',')
            ),
            "\"#\",0,",
            "]}}}",
        ),
        (
            format!("{FEATURES}}},\"ctr_data\":{COUNTER}"),
            "\"0\",",
            "]}}}",
        ),
        (
            format!("{TEXT}\"dictionaries\":[],\"calcers\":[],\"tokenized\":[],\"tokenizers\":["),
            "{\"lowercasing\":false,\"numbers\":\"Skip\",\"delimiter\":\"\",\"split_by_set\":false,\"skip_empty\":true},",
            "]}}",
        ),
        (
            format!("{TEXT}\"tokenizers\":[],\"dictionaries\":[],\"calcers\":[],\"tokenized\":["),
            "{\"text\":0,\"tokenizer\":0,\"dictionary\":0,\"calcers\":[]},",
            "]}}",
        ),
        (
            format!("{TEXT}\"tokenizers\":[],\"dictionaries\":[],\"tokenized\":[],\"calcers\":["),
            "{\"active\":[],\"kind\":{\"BagOfWords\":{\"tokens\":0}}},",
            "]}}",
        ),
        (
            format!("{TEXT}\"tokenizers\":[],\"dictionaries\":[],\"tokenized\":[],\"calcers\":["),
            "{\"active\":[0],\"kind\":{\"BagOfWords\":{\"tokens\":0}}},",
            "]}}",
        ),
        (
            format!(
                "{TEXT}\"tokenizers\":[],\"dictionaries\":[],\"tokenized\":[],\"calcers\":[{{\"kind\":{{\"BagOfWords\":{{\"tokens\":0}}}},\"active\":["
            ),
            "#,",
            "]}]}}",
        ),
    ];
    let mut files: Vec<(String, Vec<u8>)> = lists
        .into_iter()
        .map(|(begin, element, end)| {
            // Length just after a doubling list has grown.
            let mut file = begin.clone();
            for number in 0..(1 << 16) + 1 {
                file.push_str(&element.replace('#', &format!("{number}")));
            }
            file.pop();
            file.push_str(end);
            (format!("{begin}{element}…"), file.into_bytes())
        })
        .collect();
    for begin in ["", "{", "CBM1", "CBM1\u{4}\0\0\0"] {
        let mut zeros = vec![0; 200_000_000];
        zeros[..begin.len()].copy_from_slice(begin.as_bytes());
        files.push((format!("zeros after `{}`", begin.escape_debug()), zeros));
    }
    files.push((
        "a dictionary that is named over and over".to_owned(),
        named_over_and_over("text_bow.cbm"),
    ));
    files
}

/// Model with texts whose header names its first tokenizer and dictionary 65,537 more times.
fn named_over_and_over(model: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let mut file = fs::read(folder.join(model)).expect("it is in the zoo");
    let part = file
        .windows(16)
        .rposition(|name| name == b"text_process_v2\0")
        .expect("the part begins with its name");
    let u32_at = |bytes: &[u8], at: usize| {
        let bytes = bytes[at..at + 4].try_into().expect("4 bytes");
        u32::from_le_bytes(bytes) as usize
    };
    // The flatbuffer follows its 64-bit length.
    let begin = part + 24;
    let len = u32_at(&file, part + 16);
    let mut header = file[begin..begin + len].to_vec();
    let table = u32_at(&header, 0);
    let vtable = table - u32_at(&header, table);
    // Tokenizers are the first field of the table, dictionaries the second.
    for entry in [vtable + 4, vtable + 6] {
        let field = table + usize::from(u16::from_le_bytes([header[entry], header[entry + 1]]));
        let old = field + u32_at(&header, field);
        let count = u32_at(&header, old);
        let ids = header[old + 4..][..16 * count].to_vec();
        let new = header.len();
        header[field..field + 4].copy_from_slice(&((new - field) as u32).to_le_bytes());
        header.extend((count as u32 + (1 << 16) + 1).to_le_bytes());
        header.extend(&ids);
        header.extend(ids[..16].repeat((1 << 16) + 1));
    }
    file[part + 16..begin].copy_from_slice(&(header.len() as u64).to_le_bytes());
    file.splice(begin..begin + len, header);
    file
}

fn zoo() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let files = fs::read_dir(folder).expect("fixtures/models is a folder");
    let read = |file: fs::DirEntry| {
        let name = file.file_name().to_string_lossy().into_owned();
        let model = name.ends_with(".cbm") || name.ends_with(".json");
        model.then(|| (name, fs::read(file.path()).expect("the zoo can be read")))
    };
    files
        .filter_map(|file| read(file.expect("the folder can be listed")))
        .collect()
}
