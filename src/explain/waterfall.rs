//! Waterfall chart: from the mean answer to this one, a step per field.

use std::fmt::Write as _;

use crate::explanation::Explanation;
use crate::pick_regno::Answer;

/// Width of the bars in columns of text.
const COLUMNS: f64 = 48.0;
/// Dimensions of the chart, in pixels.
const WIDTH: f64 = 800.0;
const LABELS: f64 = 240.0;
const NUMBERS: f64 = 110.0;
const ROW: f64 = 26.0;

/// Bar from one value to another.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    label: &'static str,
    from: f64,
    to: f64,
}

/// Steps, and the range that they span.
#[derive(Clone, Debug)]
pub(super) struct Waterfall {
    steps: Vec<Step>,
    base: f64,
    raw: f64,
    positive: f64,
    least: f64,
    greatest: f64,
}

impl Waterfall {
    pub(super) fn new(answer: &Answer, explanation: &Explanation) -> Waterfall {
        let mut steps = Vec::new();
        let mut at = explanation.base;
        for (field, value) in explanation.contributions {
            steps.push(Step {
                label: field.name(),
                from: at,
                to: at + value,
            });
            at += value;
        }
        let ends = || steps.iter().flat_map(|step| [step.from, step.to]);
        let least = ends().fold(explanation.base, f64::min);
        let greatest = ends().fold(explanation.base, f64::max);
        Waterfall {
            base: explanation.base,
            raw: answer.raw,
            positive: answer.positive,
            least,
            // Avoids a division by 0 if the range is empty.
            greatest: if greatest > least {
                greatest
            } else {
                least + 1.0
            },
            steps,
        }
    }

    /// Position of a value in the range, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        (value - self.least) / (self.greatest - self.least)
    }

    /// Renders lines of text: `█` adds, `░` subtracts.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let mut line = |label: &str, number: String, bar: &str| {
            let _ = writeln!(out, "{label:<28} {number:>9}  {}", bar.trim_end());
        };
        let mark = |value: f64| {
            let column = (self.place(value) * (COLUMNS - 1.0)).round() as usize;
            " ".repeat(column) + "│"
        };
        line(
            "base: the mean answer",
            format!("{:.4}", self.base),
            &mark(self.base),
        );
        for step in &self.steps {
            let (low, high) = (step.from.min(step.to), step.from.max(step.to));
            let first = (self.place(low) * (COLUMNS - 1.0)).round() as usize;
            let last = (self.place(high) * (COLUMNS - 1.0)).round() as usize;
            let bar = if step.to < step.from { "░" } else { "█" };
            let bar = match high > low {
                true => " ".repeat(first) + &bar.repeat(last - first + 1),
                false => String::new(),
            };
            line(step.label, format!("{:+.4}", step.to - step.from), &bar);
        }
        line(
            "raw: this answer",
            format!("{:.4}", self.raw),
            &mark(self.raw),
        );
        let _ = writeln!(
            out,
            "{:<28} {:>9.4}",
            "positive: its probability", self.positive
        );
        out
    }

    /// Renders an SVG image.
    pub(super) fn svg(&self) -> String {
        let rows = self.steps.len() + 2;
        let height = ROW * (rows as f64 + 1.0);
        let x = |value: f64| LABELS + self.place(value) * (WIDTH - LABELS - NUMBERS);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n\
             <title>From the mean answer, {:.4}, to this one, {:.4}: positive {:.4}</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
            self.base, self.raw, self.positive
        );
        let mut row = |place: usize,
                       label: &str,
                       number: String,
                       from: f64,
                       to: f64,
                       color: &str| {
            let top = ROW * (place as f64 + 0.5);
            let middle = top + ROW * 0.65;
            let (left, right) = (x(from.min(to)), x(from.max(to)));
            let width = (right - left).max(1.5);
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{middle:.1}\" text-anchor=\"end\" fill=\"#222\">{label}</text>\
                 <rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{color}\"/>\
                 <text x=\"{:.1}\" y=\"{middle:.1}\" fill=\"#222\">{number}</text>",
                LABELS - 10.0,
                top + ROW * 0.2,
                ROW * 0.6,
                WIDTH - NUMBERS + 10.0,
            );
        };
        row(
            0,
            "base",
            format!("{:.4}", self.base),
            self.base,
            self.base,
            "#222",
        );
        for (place, step) in (1..).zip(&self.steps) {
            let color = if step.to < step.from {
                "#c0392b"
            } else {
                "#1f77b4"
            };
            let number = format!("{:+.4}", step.to - step.from);
            row(place, step.label, number, step.from, step.to, color);
        }
        row(
            rows - 1,
            "raw",
            format!("{:.4}", self.raw),
            self.raw,
            self.raw,
            "#222",
        );
        out.push_str("</svg>\n");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Field;

    fn waterfall(values: [f64; 3]) -> Waterfall {
        let mut contributions = Field::ALL.map(|field| (field, 0.0));
        for (contribution, value) in contributions.iter_mut().zip(values) {
            contribution.1 = value;
        }
        let raw = values.iter().fold(1.0, |sum, value| sum + value);
        let answer = Answer {
            raw,
            negative: 0.5,
            positive: 0.5,
        };
        let explanation = Explanation {
            base: 1.0,
            contributions,
        };
        Waterfall::new(&answer, &explanation)
    }

    #[test]
    fn each_bar_begins_where_the_one_before_ends() {
        let text = waterfall([3.0, -2.0, 1.0]).text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 13);
        let bars: Vec<&str> = lines
            .iter()
            .map(|line| line.get(40..).unwrap_or(""))
            .collect();
        assert_eq!(bars[0], "│");
        assert_eq!(bars[1], "█".repeat(48));
        assert_eq!(bars[2], " ".repeat(16) + &"░".repeat(32));
        assert_eq!(bars[3], " ".repeat(16) + &"█".repeat(16));
        assert_eq!(bars[4], "");
        assert!(lines[2].contains("-2.0000") && lines[3].contains("+1.0000"));
        assert_eq!(bars[11], " ".repeat(31) + "│");
    }

    #[test]
    fn the_picture_has_a_bar_per_row_whatever_the_values() {
        for values in [[3.0, -2.0, 1.0], [0.0; 3]] {
            let svg = waterfall(values).svg();
            assert_eq!(svg.matches("<rect x=").count(), 12, "{svg}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
