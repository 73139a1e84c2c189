//! Storage of tables: in the program, or on the heap.
//!
//! A table is a struct generic over its [`Storage`]. A compiled model has [`Static`] tables, a loaded model [`Owned`]
//! ones. The same code evaluates both.

use alloc::boxed::Box;
use core::ops::Deref;

/// Kind of storage that the parts of a table use.
pub trait Storage: Copy + Send + Sync + 'static {
    /// Slice of elements, which may be tables themselves.
    type Slice<T: Send + Sync + 'static>: Deref<Target = [T]> + Send + Sync;
    /// Single value that is too large to be moved, such as an array.
    type Boxed<T: Send + Sync + 'static>: Deref<Target = T> + Send + Sync;
    /// String.
    type Text: Deref<Target = str> + Send + Sync;
}

/// Tables that are part of the program.
#[derive(Clone, Copy, Debug)]
pub enum Static {}

/// Tables on the heap.
#[derive(Clone, Copy, Debug)]
pub enum Owned {}

impl Storage for Static {
    type Slice<T: Send + Sync + 'static> = &'static [T];
    type Boxed<T: Send + Sync + 'static> = &'static T;
    type Text = &'static str;
}

impl Storage for Owned {
    type Slice<T: Send + Sync + 'static> = Box<[T]>;
    type Boxed<T: Send + Sync + 'static> = Box<T>;
    type Text = Box<str>;
}
