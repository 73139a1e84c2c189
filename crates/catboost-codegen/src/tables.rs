//! The tables of a compiled model, gathered by element type while it is laid out.

use std::ops::Range;

/// One file a type. A part of a table is named by its range of elements.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) f32s: Vec<f32>,
    pub(crate) f64s: Vec<f64>,
    pub(crate) u8s: Vec<u8>,
    pub(crate) u16s: Vec<u16>,
    pub(crate) u32s: Vec<u32>,
    pub(crate) i32s: Vec<i32>,
    pub(crate) u64s: Vec<u64>,
    pub(crate) lines: Vec<Line>,
}

/// What [`catboost_runtime::compiled::Line`] holds.
pub(crate) type Line = [u32; 16];

/// Appends to a table and tells where.
pub(crate) fn put<T>(table: &mut Vec<T>, elements: impl IntoIterator<Item = T>) -> Range<usize> {
    let from = table.len();
    table.extend(elements);
    from..table.len()
}

/// A table as its file has it.
pub(crate) struct File {
    /// The static's name, and the file's in lower case.
    pub(crate) name: &'static str,
    /// The element's Rust type.
    pub(crate) element: &'static str,
    /// How many elements.
    pub(crate) len: usize,
    /// Little-endian.
    pub(crate) bytes: Vec<u8>,
}

impl Tables {
    /// All tables, empty ones too.
    pub(crate) fn files(&self) -> Vec<File> {
        macro_rules! file {
            ($name:literal, $element:literal, $table:expr) => {
                File {
                    name: $name,
                    element: $element,
                    len: $table.len(),
                    bytes: $table
                        .iter()
                        .flat_map(|element| element.to_le_bytes())
                        .collect(),
                }
            };
        }
        let lines = File {
            name: "LINES",
            element: "catboost_runtime::compiled::Line",
            len: self.lines.len(),
            bytes: self
                .lines
                .as_flattened()
                .iter()
                .flat_map(|word| word.to_le_bytes())
                .collect(),
        };
        let files = [
            file!("F32S", "f32", self.f32s),
            file!("F64S", "f64", self.f64s),
            file!("U8S", "u8", self.u8s),
            file!("U16S", "u16", self.u16s),
            file!("U32S", "u32", self.u32s),
            file!("I32S", "i32", self.i32s),
            file!("U64S", "u64", self.u64s),
            lines,
        ];
        files.into_iter().collect()
    }
}
