//! The program's allocator: wraps the system allocator with a per-thread free list of small blocks.
//!
//! A static program has musl's allocator, which takes one lock for all threads on each allocation and release. hyper
//! allocates some twenty times per request, so workers would contend. mimalloc and jemalloc have thread caches, too,
//! but they are C. Here no block is owned by a thread, so that any thread may free it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::null_mut;

/// Granularity of block sizes, in bytes.
const STEP: usize = 64;
/// Number of size classes: the largest is 1 KiB.
const CLASSES: usize = 16;
/// Blocks per size class that a thread keeps: at most 136 KiB in total.
const BLOCKS: usize = 16;
/// Alignment that the system allocator guarantees by default.
const ALIGN: usize = 16;

/// The allocator.
pub struct Allocator;

/// Enables the free list of the thread that it was created on, until it is dropped.
pub struct KeepBlocks {
    /// Prevents sending it to another thread, since it must be dropped on the same one.
    _here: PhantomData<*const ()>,
}

/// Free lists of one thread.
struct Kept {
    /// Maximum number of blocks per size class.
    room: Cell<usize>,
    classes: [Class; CLASSES],
}

/// Free list of one size class.
struct Class {
    len: Cell<usize>,
    blocks: [Cell<*mut u8>; BLOCKS],
}

thread_local! {
    // No destructor: registering one allocates. `KeepBlocks` takes its place.
    static KEPT: Kept = const {
        Kept {
            room: Cell::new(0),
            classes: [const {
                Class {
                    len: Cell::new(0),
                    blocks: [const { Cell::new(null_mut()) }; BLOCKS],
                }
            }; CLASSES],
        }
    };
}

impl KeepBlocks {
    /// Enables the free list.
    pub fn on_this_thread() -> KeepBlocks {
        KEPT.with(|kept| kept.room.set(BLOCKS));
        KeepBlocks { _here: PhantomData }
    }
}

impl Drop for KeepBlocks {
    fn drop(&mut self) {
        KEPT.with(|kept| {
            kept.room.set(0);
            for (number, class) in kept.classes.iter().enumerate() {
                while let Some(block) = class.take() {
                    // SAFETY: `Allocator` took the block from the system with this layout, and nobody else uses it.
                    unsafe { System.dealloc(block, block_of(number)) };
                }
            }
        });
    }
}

impl Class {
    fn take(&self) -> Option<*mut u8> {
        let last = self.len.get().checked_sub(1)?;
        self.len.set(last);
        self.blocks.get(last).map(Cell::get)
    }

    /// Keeps `block` and returns true, unless the list is full.
    fn put(&self, block: *mut u8, room: usize) -> bool {
        let len = self.len.get();
        match self.blocks.get(len) {
            Some(place) if len < room => {
                place.set(block);
                self.len.set(len + 1);
                true
            }
            _ => false,
        }
    }
}

/// Size class that serves `layout`; `None` if none does.
fn class_of(layout: Layout) -> Option<usize> {
    let number = layout.size().wrapping_sub(1) / STEP;
    (number < CLASSES && layout.align() <= ALIGN).then_some(number)
}

/// Layout of the blocks of a size class.
fn block_of(class: usize) -> Layout {
    Layout::from_size_align((class + 1) * STEP, ALIGN).expect("at most 1 KiB")
}

// SAFETY: memory comes from the system allocator. A block of at most 1 KiB has the layout of its class, both when it is
// allocated and when it is freed, by whatever thread; a kept block was freed, and is returned once.
unsafe impl GlobalAlloc for Allocator {
    // Inlining these at every allocation would make the program a fifteenth larger.
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout) else {
            // SAFETY: as the caller promises.
            return unsafe { System.alloc(layout) };
        };
        match KEPT.with(|kept| kept.classes[class].take()) {
            Some(block) => block,
            // SAFETY: the layout has a non-zero size.
            None => unsafe { System.alloc(block_of(class)) },
        }
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if class_of(layout).is_none() {
            // SAFETY: as the caller promises. Zeroed pages that are never touched cost nothing.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: as the caller promises.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            // SAFETY: the block has at least this many bytes, and is the caller's alone.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = class_of(layout) else {
            // SAFETY: as the caller promises.
            return unsafe { System.dealloc(block, layout) };
        };
        if !KEPT.with(|kept| kept.classes[class].put(block, kept.room.get())) {
            // SAFETY: it was allocated with this layout.
            unsafe { System.dealloc(block, block_of(class)) };
        }
    }

    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size, rounded up to the alignment, is not too large.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class_of(layout), class_of(wanted)) {
            // SAFETY: as the caller promises. Large blocks are usually not copied.
            (None, None) => unsafe { System.realloc(block, layout, size) },
            (had, wants) if had == wants => block,
            _ => {
                // SAFETY: as the caller promises.
                let new = unsafe { self.alloc(wanted) };
                if !new.is_null() {
                    // SAFETY: both blocks have at least this many bytes; the old one is the caller's to free.
                    unsafe {
                        new.copy_from_nonoverlapping(block, size.min(layout.size()));
                        self.dealloc(block, layout);
                    }
                }
                new
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicPtr;

    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    fn kept() -> usize {
        KEPT.with(|kept| kept.classes.iter().map(|class| class.len.get()).sum())
    }

    fn take(size: usize) -> *mut u8 {
        // SAFETY: the size is not 0.
        let block = unsafe { Allocator.alloc(layout(size)) };
        assert!(!block.is_null() && block.addr().is_multiple_of(ALIGN));
        // SAFETY: it has this many bytes.
        unsafe { block.write_bytes(0xaa, size) };
        block
    }

    fn give(block: *mut u8, size: usize) {
        // SAFETY: the tests free each block once, with its size.
        unsafe { Allocator.dealloc(block, layout(size)) }
    }

    #[test]
    fn a_block_is_used_again_for_what_has_its_length() {
        let _keep = KeepBlocks::on_this_thread();
        let block = take(65);
        give(block, 65);
        assert_eq!(kept(), 1);
        let other = take(64);
        assert_ne!(other, block);
        let same = take(128);
        assert_eq!(same, block);
        assert_eq!(kept(), 0);
        give(same, 128);
        give(other, 64);
        assert_eq!(kept(), 2);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let blocks: Vec<_> = (0..2 * BLOCKS).map(|_| take(24)).collect();
        let last = take(24);
        give(last, 24);
        assert_eq!(kept(), 0, "nobody said that blocks may be kept");
        let keep = KeepBlocks::on_this_thread();
        for block in blocks {
            give(block, 24);
        }
        assert_eq!(kept(), BLOCKS);
        let long = take(CLASSES * STEP + 1);
        give(long, CLASSES * STEP + 1);
        assert_eq!(kept(), BLOCKS);
        drop(keep);
        assert_eq!(kept(), 0);
        give(take(24), 24);
        assert_eq!(kept(), 0);
    }

    #[test]
    fn zeros_are_zeros_in_a_used_block() {
        let _keep = KeepBlocks::on_this_thread();
        for size in [1, 100, 1024, 5000] {
            give(take(size), size);
            // SAFETY: the size is not 0.
            let block = unsafe { Allocator.alloc_zeroed(layout(size)) };
            // SAFETY: it has this many bytes, all of which are written.
            let bytes = unsafe { std::slice::from_raw_parts(block, size) };
            assert!(bytes.iter().all(|&byte| byte == 0), "{size} bytes");
            give(block, size);
        }
    }

    #[test]
    fn what_grows_or_shrinks_keeps_its_bytes() {
        let _keep = KeepBlocks::on_this_thread();
        let sizes = [1, 64, 65, 1024, 1025, 9000, 5000, 1024, 3];
        let mut block = take(sizes[0]);
        for pair in sizes.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            for at in 0..from {
                // SAFETY: the block has `from` bytes.
                unsafe { block.add(at).write(at as u8) };
            }
            // SAFETY: the block has `from` bytes, and `to` is not 0.
            block = unsafe { Allocator.realloc(block, layout(from), to) };
            for at in 0..from.min(to) {
                // SAFETY: the block has `to` bytes now.
                assert_eq!(unsafe { block.add(at).read() }, at as u8, "{from} to {to}");
            }
        }
        give(block, sizes[sizes.len() - 1]);
    }

    #[test]
    fn another_thread_may_give_a_block_back() {
        let block = AtomicPtr::new(take(40));
        let kept = std::thread::spawn(move || {
            let keep = KeepBlocks::on_this_thread();
            give(block.into_inner(), 40);
            let kept = kept();
            drop(keep);
            kept
        });
        assert_eq!(kept.join().unwrap(), 1);
    }

    #[test]
    fn what_must_be_aligned_further_is() {
        let _keep = KeepBlocks::on_this_thread();
        let layout = Layout::from_size_align(64, 64).unwrap();
        // SAFETY: the layout has a non-zero size, and what is allocated is freed.
        unsafe {
            let block = Allocator.alloc(layout);
            assert!(block.addr().is_multiple_of(64));
            Allocator.dealloc(block, layout);
        }
        assert_eq!(kept(), 0);
    }
}
