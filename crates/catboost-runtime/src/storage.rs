//! Where tables live: in the program, or on the heap.
//!
//! A table is a struct that is generic over its [`Storage`]. A compiled model has [`Static`] tables, a model that was loaded
//! at run time has [`Owned`] ones. The code that evaluates them is the same.

use alloc::boxed::Box;
use core::ops::Deref;

/// Where the parts of tables live.
pub trait Storage: Copy + Send + Sync + 'static {
    /// A slice of elements, which may be tables themselves.
    type Slice<T: Send + Sync + 'static>: Deref<Target = [T]> + Send + Sync;
    /// A single value: an array that is too large to be moved about.
    type Boxed<T: Send + Sync + 'static>: Deref<Target = T> + Send + Sync;
    /// A string.
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
