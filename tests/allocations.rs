//! Allocations of an answer: none while features are derived and the model is evaluated, and a fixed number from body
//! to answer. A test binary of its own, because it counts for the whole process.

#![allow(
    clippy::unwrap_used,
    reason = "in a test, a panic is how a failure is told"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;

use pick_regno::answer::write_one;
use pick_regno::pick_regno::pick_regno;
use pick_regno::request::{Body, parse_body, parse_object};
use serde_json::Value;

/// Counts the allocations of the current thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is the system allocator's own; counting touches a thread's plain cell and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the promises that it made to this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; the pointer is the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

/// Requests of the plain fixtures, as compact JSON.
fn requests() -> Vec<Value> {
    let text = fs::read_to_string("fixtures/test_data.expected.ndjson").unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["request"].take())
        .collect()
}

/// Processes a body up to its answer.
fn answer(body: &str) {
    let mut out = Vec::with_capacity(128);
    match parse_body(body.as_bytes()) {
        Ok(Body::One(request)) => write_one(&pick_regno(&request), &mut out),
        other => panic!("{other:?}"),
    }
}

#[test]
fn features_and_evaluation_allocate_nothing() {
    for request in requests() {
        let text = request.to_string();
        let request = parse_object(text.as_bytes()).unwrap();
        let count = allocations(|| {
            std::hint::black_box(pick_regno(&request));
        });
        assert_eq!(count, 0);
    }
}

#[test]
fn a_request_allocates_its_answer_and_strings_with_escapes() {
    for request in requests() {
        let plain = request.to_string();
        assert_eq!(allocations(|| answer(&plain)), 1, "the answer's buffer");

        // As Python's `json.dumps` writes it: both plates and both categories have escapes.
        let escaped: String = plain
            .chars()
            .flat_map(|c| {
                match c.is_ascii() {
                    true => c.to_string(),
                    false => format!("\\u{:04x}", u32::from(c)),
                }
                .chars()
                .collect::<Vec<_>>()
            })
            .collect();
        let count = allocations(|| answer(&escaped));
        assert!((1..=5).contains(&count), "{count}");

        // As a JSON string: that string, and four that do not borrow from it.
        let quoted = serde_json::to_string(&escaped).unwrap();
        let count = allocations(|| answer(&quoted));
        assert!((2..=10).contains(&count), "{count}");
    }
}
