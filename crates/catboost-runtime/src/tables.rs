//! Tables that are included from files beside the generated source.

use alloc::vec::Vec;

/// Type without padding, any of whose bit patterns is valid.
pub trait Plain: sealed::Sealed + Copy + 'static {
    /// Name of the type.
    const NAME: &'static str;
    /// Name of the static that holds all elements of the type.
    const POOL: &'static str;
    /// Appends the value, little-endian.
    fn write(&self, bytes: &mut Vec<u8>);
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// Implements [`Plain`], given the name of the static that holds all elements, and the words of a value.
macro_rules! plain {
    ($($type:ident $pool:literal $words:expr)*) => {$(
        impl $crate::tables::sealed::Sealed for $type {}
        impl $crate::tables::Plain for $type {
            const NAME: &'static str = stringify!($type);
            const POOL: &'static str = $pool;

            fn write(&self, bytes: &mut alloc::vec::Vec<u8>) {
                let words: fn(&Self) -> _ = $words;
                for word in words(self) {
                    bytes.extend(word.to_le_bytes());
                }
            }
        }
    )*};
}

plain! {
    u8 "U8S" |value| [*value]
    u16 "U16S" |value| [*value]
    u32 "U32S" |value| [*value]
    u64 "U64S" |value| [*value]
    i32 "I32S" |value| [*value]
    f32 "F32S" |value| [*value]
    f64 "F64S" |value| [*value]
}

pub(crate) use plain;

/// Defines a `static` array of a [`Plain`] type from a file of its little-endian bytes. Does not compile unless the
/// file has exactly the array's size.
#[macro_export]
macro_rules! table {
    ($visibility:vis $name:ident: [$type:ty; $len:expr] = $file:expr) => {
        #[allow(clippy::useless_transmute, reason = "a table of bytes is one already")]
        $visibility static $name: [$type; $len] = {
            const fn plain<T: $crate::tables::Plain>() {}
            plain::<$type>();
            assert!(
                cfg!(target_endian = "little"),
                "compiled models are laid out for little-endian machines"
            );
            // SAFETY: `transmute` refuses to compile unless the sizes agree; of a `Plain` type every bit pattern is a
            // value; and the copy is aligned as the array is.
            unsafe { ::core::mem::transmute(*::core::include_bytes!($file)) }
        };
    };
}

/// Returns `table[from..from + len]`, in a constant.
///
/// # Panics
/// If the table is shorter. This happens when a model is compiled, not at run time.
#[must_use]
pub const fn slice<T>(table: &'static [T], from: usize, len: usize) -> &'static [T] {
    table.split_at(from).1.split_at(len).0
}

/// Returns `table[from..from + len * N]` as rows of `N`, in a constant.
///
/// # Panics
/// As [`slice()`].
#[must_use]
pub const fn rows<T, const N: usize>(
    table: &'static [T],
    from: usize,
    len: usize,
) -> &'static [[T; N]] {
    slice(table, from, len * N).as_chunks().0
}

#[cfg(test)]
mod tests {
    use super::{rows, slice};

    #[test]
    fn parts_of_a_table_begin_and_end_where_they_are_told() {
        static TABLE: [u8; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(slice(&TABLE, 2, 3), [2, 3, 4]);
        assert_eq!(rows(&TABLE, 1, 3), [[1, 2], [3, 4], [5, 6]]);
        assert!(slice(&TABLE, 9, 0).is_empty());
    }
}
