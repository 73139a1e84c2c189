//! The parts of a model, each as an expression of the runtime's types.

use std::fmt::{self, Display, Formatter};

use crate::layout::{
    Answers, Block, Calcer, Cross, EmbeddingCalcer, EmbeddingKind, Estimate, Keys, Letters, Limits,
    Odds, Part, Projection, Select, Steps, Targets, Trees, Wide,
};

/// A part of a table, as an expression.
pub(super) fn of(table: &str, part: &Part) -> String {
    format!("slice(&{table}, {}, {})", part.start, part.len())
}

/// Numbers by step, as an expression.
pub(super) fn steps(table: &str, steps: &Steps) -> String {
    let part = of(table, &steps.table);
    format!(
        "compiled::Steps {{ stride: {}, table: {part} }}",
        steps.stride
    )
}

/// A part of a table as pairs, as an expression.
pub(super) fn pairs(table: &str, part: &Part) -> String {
    format!("rows(&{table}, {}, {})", part.start, part.len() / 2)
}

/// A part of `lines` as rows of `len`, as an expression.
fn lines(part: &Part, len: usize) -> String {
    match len {
        0 => "&[]".to_owned(),
        len => format!("rows(&LINES, {}, {})", part.start, part.len() / len),
    }
}

impl Display for Letters {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let len = self.codes.len();
        writeln!(f, "compiled::Letters {{")?;
        writeln!(
            f,
            "                delimiter: {}, codes: &rows::<_, {len}>(&U8S, {}, 1)[0], unknown: {},",
            self.delimiter, self.codes.start, self.unknown
        )?;
        let rows = steps("U16S", &self.rows);
        let lines = lines(&self.lines, self.row);
        write!(
            f,
            "                rows: {rows}, lines: {lines},\n            }}"
        )
    }
}

impl Display for Block {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (borders, nan) = (&self.borders, &self.nan);
        let rows = borders.len() / nan.len();
        write!(
            f,
            "compiled::Block {{ borders: rows(&F32S, {}, {rows}), ",
            borders.start
        )?;
        write!(
            f,
            "nan: rows::<_, {}>(&F32S, {}, 1)[0], group: {}, pairs: {:?} }}",
            nan.len(),
            nan.start,
            self.group,
            self.pairs
        )
    }
}

impl Display for Wide {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let borders = of("F32S", &self.borders);
        write!(
            f,
            "compiled::Wide {{ borders: {borders}, nan: F32S[{}], group: {} }}",
            self.nan.start, self.group
        )
    }
}

impl Display for Answers {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let asked = match self.above {
            Some(times) => format!("Above({times})"),
            None => "Equal".to_owned(),
        };
        write!(
            f,
            "compiled::Answers {{ group: {}, first: {}, asked: compiled::Asked::{asked} }}",
            self.group, self.first
        )
    }
}

impl Display for Keys {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "compiled::Keys {{ slots: {}, numbers: {} }}",
            of("U64S", &self.slots),
            of("U32S", &self.numbers)
        )
    }
}

impl Display for Projection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "compiled::Projection {{")?;
        writeln!(f, "            cats: {},", of("U32S", &self.cats))?;
        writeln!(
            f,
            "            conditions: {},",
            of("U64S", &self.conditions)
        )?;
        writeln!(f, "            keys: {},", self.keys)?;
        writeln!(f, "            bins: {},", of("U16S", &self.bins))?;
        write!(
            f,
            "            len: {}, group: {},\n        }}",
            self.len, self.group
        )
    }
}

impl Display for Cross {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "compiled::Cross {{")?;
        writeln!(f, "            digits: {},", pairs("U32S", &self.digits))?;
        writeln!(f, "            count: {}, len: {},", self.count, self.len)?;
        writeln!(f, "            cells: {},", of("U16S", &self.cells))?;
        writeln!(f, "            selects: &[")?;
        for Select {
            splits,
            masks,
            answers,
        } in &self.selects
        {
            writeln!(
                f,
                "                compiled::Select {{ splits: {splits}, masks: {masks}, answers: {answers} }},"
            )?;
        }
        writeln!(f, "            ],\n            projections: &[")?;
        for projection in &self.projections {
            writeln!(f, "        {projection},")?;
        }
        write!(f, "            ],\n        }}")
    }
}

impl Display for Calcer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let estimates = match self {
            Self::NaiveBayes {
                first,
                log_priors,
                log_counts,
                lacks,
                log_totals,
                totals,
                token_prior,
                estimates,
                odds,
            } => {
                write!(
                    f,
                    "compiled::Calcer::NaiveBayes(compiled::NaiveBayes {{ first: {first}, "
                )?;
                write!(f, "log_priors: {}, ", of("F64S", log_priors))?;
                write!(f, "log_counts: {}, ", of("F64S", log_counts))?;
                write!(f, "lacks: {}, ", of("U8S", lacks))?;
                write!(f, "log_totals: {}, ", of("F64S", log_totals))?;
                write!(f, "totals: {}, ", of("F64S", totals))?;
                write!(f, "token_prior: {token_prior:?}_f32 as f64, ")?;
                match odds {
                    Some(odds) => write!(f, "odds: Some({odds}), ")?,
                    None => f.write_str("odds: None, ")?,
                }
                estimates
            }
            Self::Bm25 {
                first,
                classes,
                shares,
                estimates,
            } => {
                write!(
                    f,
                    "compiled::Calcer::Bm25(compiled::Bm25 {{ first: {first}, "
                )?;
                write!(f, "classes: {classes}, shares: {}, ", of("F64S", shares))?;
                estimates
            }
        };
        write!(f, "{} }})", Estimates(estimates))
    }
}

impl Display for Odds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let weights = of("F64S", &self.weights);
        write!(
            f,
            "compiled::Odds {{ prior: F64S[{}], weights: {weights}, ",
            self.prior.start
        )?;
        match &self.by_code {
            Some(part) => write!(
                f,
                "by_code: Some(&rows::<_, {}>(&F64S, {}, 1)[0]), ",
                part.len(),
                part.start
            )?,
            None => f.write_str("by_code: None, ")?,
        }
        f.write_str("limits: &[")?;
        for Limits { above, below } in &self.limits {
            let (above, below) = (of("F64S", above), of("F64S", below));
            write!(f, "compiled::Limits {{ above: {above}, below: {below} }}, ")?;
        }
        f.write_str("] }")
    }
}

/// The field of that name.
struct Estimates<'a>(&'a [Estimate]);

impl Display for Estimates<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "estimates: &[")?;
        for Estimate {
            class,
            borders,
            group,
        } in self.0
        {
            let borders = of("F32S", borders);
            write!(
                f,
                "compiled::Estimate {{ class: {class}, borders: {borders}, group: {group} }}, "
            )?;
        }
        f.write_str("]")
    }
}

impl Display for EmbeddingCalcer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            embedding,
            dimension,
            kind,
            estimates,
        } = self;
        write!(f, "compiled::Embedding {{ embedding: {embedding}, ")?;
        match kind {
            EmbeddingKind::Lda { directions } => {
                let directions = of("F32S", directions);
                write!(
                    f,
                    "calcer: compiled::EmbeddingCalcer::Lda {{ directions: {directions}, dimension: {dimension} }}, "
                )?;
            }
            EmbeddingKind::Knn {
                neighbors,
                targets,
                max_links,
                level_sizes,
                links,
                points,
            } => {
                let targets = match targets {
                    Targets::Classes(classes) => format!("Classes({})", of("U32S", classes)),
                    Targets::Values(values) => format!("Values({})", of("F32S", values)),
                };
                writeln!(f, "calcer: compiled::EmbeddingCalcer::Knn {{")?;
                writeln!(
                    f,
                    "            graph: ::catboost_runtime::knn::Graph {{ neighbors: {neighbors}, dimension: {dimension}, max_links: {max_links},"
                )?;
                writeln!(
                    f,
                    "                points: {}, level_sizes: {}, links: {} }},",
                    of("F32S", points),
                    of("U32S", level_sizes),
                    of("U32S", links)
                )?;
                write!(
                    f,
                    "            targets: ::catboost_runtime::knn::Targets::{targets},\n        }}, "
                )?;
            }
        }
        write!(f, "{} }}", Estimates(estimates))
    }
}

impl Display for Trees {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows {
                initial,
                rows,
                starts,
                bits: _,
                offsets,
                values,
                present: _,
            } => {
                write!(f, "compiled::Trees::Rows {{\n        initial: [")?;
                for line in initial {
                    write!(f, "compiled::Line({line:?}), ")?;
                }
                writeln!(f, "],\n        rows: {},", lines(rows, initial.len()))?;
                writeln!(f, "        starts: {},", of("U32S", starts))?;
                writeln!(f, "        offsets: {},", of("U32S", offsets))?;
                writeln!(f, "        values: {},", of("F64S", values))?;
            }
            Self::Levels {
                splits,
                bits,
                offsets,
                values,
            } => {
                writeln!(
                    f,
                    "compiled::Trees::Levels {{\n        splits: rows(&U32S, {}, {}),",
                    splits.start,
                    splits.len() / bits
                )?;
                writeln!(f, "        offsets: {},", of("U32S", offsets))?;
                writeln!(f, "        values: {},", of("F64S", values))?;
            }
            Self::Nodes {
                roots,
                splits,
                children,
                values,
            } => {
                writeln!(
                    f,
                    "compiled::Trees::Nodes {{\n        roots: {},",
                    of("I32S", roots)
                )?;
                writeln!(f, "        splits: {},", of("U32S", splits))?;
                writeln!(f, "        children: {},", pairs("I32S", children))?;
                writeln!(f, "        values: {},", of("F64S", values))?;
            }
        }
        f.write_str("    }")
    }
}
