//! Prints owned tables as Rust source, for the code generator.
//!
//! A table lists its fields once, with [`emit!`](crate::emit), beside its definition. A slice of [`Plain`] elements
//! becomes a range of a file that holds all elements of its type; everything else becomes source.

use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};

use core::fmt;

use crate::tables::Plain;

/// Value that can be written as a constant expression of Rust.
pub trait Emit: Sized {
    /// Appends the expression to `out`.
    fn emit(&self, out: &mut Emitter);

    /// Appends a `&'static` slice of such elements, one per line.
    fn emit_slice(all: &[Self], out: &mut Emitter) {
        if all.is_empty() {
            return out.text("&[]");
        }
        out.text("&[");
        out.indent += 1;
        for element in all {
            out.line();
            element.emit(out);
            out.text(",");
        }
        out.indent -= 1;
        out.line();
        out.text("]");
    }
}

/// Source under construction, and the files that it includes.
#[derive(Debug, Default)]
pub struct Emitter {
    source: String,
    indent: usize,
    pools: BTreeMap<&'static str, Pool>,
}

/// All elements of one type in a model's tables.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// The type of the elements.
    pub element: &'static str,
    /// Number of elements.
    pub len: usize,
    /// The elements, little-endian.
    pub bytes: Vec<u8>,
}

impl Emitter {
    /// Creates an emitter without source and files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends source verbatim.
    pub fn text(&mut self, text: &str) {
        self.source.push_str(text);
    }

    /// Appends a value as `Debug` writes it.
    pub fn debug(&mut self, value: &impl fmt::Debug) {
        self.text(&format!("{value:?}"));
    }

    /// Appends a slice as a range of the file of its type.
    pub fn slice<T: Plain>(&mut self, elements: &[T]) {
        if elements.is_empty() {
            return self.text("&[]");
        }
        let (first, len) = (self.pool(elements), elements.len());
        self.text(&format!("slice(&{}, {first}, {len})", T::POOL));
    }

    /// Starts a new line.
    fn line(&mut self) {
        self.source.push('\n');
        for _ in 0..self.indent {
            self.source.push_str("    ");
        }
    }

    /// Appends fields in braces, one per line.
    pub fn fields(&mut self, fields: impl FnOnce(&mut Self)) {
        self.text(" {");
        self.indent += 1;
        fields(self);
        self.indent -= 1;
        self.line();
        self.text("}");
    }

    /// Appends a field.
    pub fn field(&mut self, name: &str, value: &impl Emit) {
        self.line();
        self.text(name);
        self.text(": ");
        value.emit(self);
        self.text(",");
    }

    /// Appends elements to the file of their type. Returns the index of the first.
    fn pool<T: Plain>(&mut self, elements: &[T]) -> usize {
        let pool = self.pools.entry(T::POOL).or_default();
        pool.element = T::NAME;
        let first = pool.len;
        pool.len += elements.len();
        for element in elements {
            element.write(&mut pool.bytes);
        }
        first
    }

    /// Appends a slice of arrays: `count` rows of `width` elements.
    pub fn rows<T: Plain>(&mut self, elements: &[T], width: usize, count: usize) {
        if elements.is_empty() {
            return self.text(&format!("&[[]; {count}]"));
        }
        let first = self.pool(elements);
        let pool = T::POOL;
        self.text(&format!("rows::<_, {width}>(&{pool}, {first}, {count})"));
    }

    /// Returns the source, and the files by name of their static, ascending.
    #[must_use]
    pub fn finish(self) -> (String, Vec<(&'static str, Pool)>) {
        (self.source, self.pools.into_iter().collect())
    }
}

impl fmt::Write for Emitter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

/// Implements [`Emit`] for [`Plain`] types: a slice becomes a range of the file of its type.
macro_rules! pooled {
    ($($type:ty)*) => {$(
        impl $crate::emit::Emit for $type {
            fn emit(&self, out: &mut $crate::emit::Emitter) {
                out.debug(self);
            }

            fn emit_slice(all: &[Self], out: &mut $crate::emit::Emitter) {
                out.slice(all);
            }
        }
    )*};
}

pub(crate) use pooled;

pooled!(u8 u16 u32 u64 i32);

macro_rules! float {
    ($($type:ident)*) => {$(
        impl Emit for $type {
            fn emit(&self, out: &mut Emitter) {
                out.text(&if self.is_finite() {
                    format!("{self:?}")
                } else {
                    format!("{}::from_bits({:#x})", stringify!($type), self.to_bits())
                });
            }

            fn emit_slice(all: &[Self], out: &mut $crate::emit::Emitter) {
                out.slice(all);
            }
        }
    )*};
}

float!(f32 f64);

/// Implements [`Emit`] for types whose `Debug` output is valid Rust.
macro_rules! debug {
    ($($type:ty)*) => {$(
        impl $crate::emit::Emit for $type {
            fn emit(&self, out: &mut $crate::emit::Emitter) {
                out.debug(self);
            }
        }
    )*};
}

pub(crate) use debug;

debug!(bool usize Box<str>);

impl<T: Emit> Emit for Box<[T]> {
    fn emit(&self, out: &mut Emitter) {
        T::emit_slice(self, out);
    }
}

impl<T: Plain, const N: usize> Emit for Box<[T; N]> {
    fn emit(&self, out: &mut Emitter) {
        out.text("&");
        out.rows(&**self, N, 1);
        out.text("[0]");
    }
}

impl<T: Emit + Plain, const N: usize> Emit for [T; N] {
    fn emit(&self, out: &mut Emitter) {
        out.text("[");
        for element in self {
            element.emit(out);
            out.text(", ");
        }
        out.text("]");
    }

    fn emit_slice(all: &[Self], out: &mut Emitter) {
        if all.is_empty() {
            return out.text("&[]");
        }
        out.rows(all.as_flattened(), N, all.len());
    }
}

impl<T: Emit> Emit for Option<T> {
    fn emit(&self, out: &mut Emitter) {
        match self {
            None => out.text("None"),
            Some(value) => {
                out.text("Some(");
                value.emit(out);
                out.text(")");
            }
        }
    }
}

/// Implements [`Emit`] for a table from the list of its fields, or of its variants with their fields. Does not compile
/// if one is missing.
macro_rules! emit {
    (struct $name:ident $type:ty { $($field:ident),* $(,)? }) => {
        impl $crate::emit::Emit for $type {
            fn emit(&self, out: &mut $crate::emit::Emitter) {
                let Self { $($field),* } = self;
                out.text(stringify!($name));
                out.fields(|out| {
                    $(out.field(stringify!($field), $field);)*
                });
            }
        }
    };
    (enum $name:ident $type:ty {
        $($variant:ident $(($value:ident))? $({ $($field:ident),* $(,)? })?),* $(,)?
    }) => {
        impl $crate::emit::Emit for $type {
            fn emit(&self, out: &mut $crate::emit::Emitter) {
                match self {
                    $(Self::$variant $(($value))? $({ $($field),* })? => {
                        out.text(concat!(stringify!($name), "::", stringify!($variant)));
                        $(
                            out.text("(");
                            $value.emit(out);
                            out.text(")");
                        )?
                        $(
                            out.fields(|out| {
                                $(out.field(stringify!($field), $field);)*
                            });
                        )?
                    })*
                }
            }
        }
    };
}
pub(crate) use emit;
