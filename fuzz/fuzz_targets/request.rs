//! Reader of request bodies: no panic, bounded memory.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pick_regno_fuzz::bounded(bytes, |bytes| drop(pick_regno::request::parse_body(bytes)));
});
