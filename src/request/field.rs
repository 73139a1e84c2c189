//! The ten fields: their names, and a table that looks up a field by its name.

use super::decimal::WINDOW;

/// Defines [`Field`] from one list: variant, name, and the natural kind of its JSON value.
macro_rules! fields {
    ($($variant:ident $name:literal $nature:ident,)*) => {
        /// A field of a request. In the order of the customer's files.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "`Request` describes them")]
        pub enum Field {
            $($variant,)*
        }

        impl Field {
            /// All fields.
            pub const ALL: [Field; [$($name),*].len()] = [$(Field::$variant),*];

            /// Name in JSON, and in the header of CSV.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Field::$variant => $name,)*
                }
            }

            /// Returns true if the field is a number, not a text.
            #[must_use]
            pub const fn is_number(self) -> bool {
                match self {
                    $(Field::$variant => fields!(@$nature),)*
                }
            }
        }

        /// Calls `$take` with each field in a separate call, so that each is compiled for its field.
        macro_rules! each_field {
            ($take:ident) => {
                $($take(Field::$variant);)*
            };
        }
    };
    (@number) => { true };
    (@text) => { false };
}

fields! {
    RegnoRecognize "regno_recognize" text,
    AftsRegnoAi "afts_regno_ai" text,
    RecognitionAccuracy "recognition_accuracy" number,
    AftsRegnoAiScore "afts_regno_ai_score" number,
    AftsRegnoAiCharScores "afts_regno_ai_char_scores" text,
    AftsRegnoAiLengthScores "afts_regno_ai_length_scores" text,
    CameraType "camera_type" text,
    CameraClass "camera_class" text,
    TimeCheck "time_check" text,
    Direction "direction" number,
}

pub(super) use each_field;

impl Field {
    /// Looks up a field by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Field> {
        Field::ALL.into_iter().find(|field| field.name() == name)
    }
}

/// Names of all fields.
pub(super) static NAMES: Names<{ Field::ALL.len() }> = Names::new({
    let mut names = [""; Field::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = Field::ALL[index].name();
        index += 1;
    }
    names
});

/// Names by their lengths. A name that does not fit into a window together with its quote is not in the table.
pub(super) struct Names<const N: usize> {
    /// Index of the first name of each length.
    first: [u8; WINDOW],
    /// For each name, the index of the next name with the same length.
    next: [u8; N],
    /// Names, padded with zeros.
    rows: [[u8; WINDOW]; N],
}

/// Marker of no name.
const NONE: u8 = u8::MAX;

impl<const N: usize> Names<N> {
    const fn new(names: [&str; N]) -> Names<N> {
        assert!(N < NONE as usize, "the index of a name is a byte");
        let mut table = Names {
            first: [NONE; WINDOW],
            next: [NONE; N],
            rows: [[0; WINDOW]; N],
        };
        let mut index = N;
        while index > 0 {
            index -= 1;
            let name = names[index].as_bytes();
            if name.len() < WINDOW {
                table.next[index] = table.first[name.len()];
                table.first[name.len()] = index as u8;
                let mut at = 0;
                while at < name.len() {
                    table.rows[index][at] = name[at];
                    at += 1;
                }
            }
        }
        table
    }

    /// Returns the index of the name that equals the first `len` bytes of a text. `same` returns the length of the
    /// common prefix of a row and the text.
    #[inline(always)]
    pub(super) fn find(&self, len: usize, same: impl Fn(&[u8; WINDOW]) -> usize) -> Option<usize> {
        let mut index = usize::from(*self.first.get(len)?);
        loop {
            if same(self.rows.get(index)?) >= len {
                return Some(index);
            }
            index = usize::from(self.next[index]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<const N: usize>(table: &Names<N>, text: &str) -> Option<usize> {
        table.find(text.len(), |row| {
            let pairs = row.iter().zip(text.bytes().chain([b'"'; WINDOW]));
            pairs.take_while(|(a, b)| *a == b).count()
        })
    }

    #[test]
    fn names_of_one_length_are_told_apart() {
        let long = "a".repeat(WINDOW);
        let names = ["abc", "abd", "b", "xyz", "", &long];
        let table = Names::new(names);
        for (index, name) in names.into_iter().enumerate() {
            let expected = (name.len() < WINDOW).then_some(index);
            assert_eq!(find(&table, name), expected, "{name}");
        }
        for name in ["abe", "xya", "c", "ab", "abcd"] {
            assert_eq!(find(&table, name), None, "{name}");
        }
    }

    #[test]
    fn all_fields_are_in_the_table() {
        for (index, field) in Field::ALL.into_iter().enumerate() {
            assert_eq!(find(&NAMES, field.name()), Some(index));
        }
    }
}
