//! A line plot as SVG, with two logarithmic scales.

use std::fmt::Write;

use crate::chart::escape;
use crate::stats::{Summary, format_number};

/// One line. A point has a position on the x axis and a value.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, Summary)>,
}

/// The edges of the plot area.
const LEFT: f64 = 60.0;
const RIGHT: f64 = 610.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 330.0;
/// Smallest vertical distance between two labels.
const LABEL_DISTANCE: f64 = 17.0;
const COLORS: [&str; 5] = ["#0b7a75", "#c2571a", "#5b4b9a", "#7d8ca3", "#222"];

/// Draw a plot. Vertical strokes show the quartiles. A label at the end of each line has its name
/// and its last value.
pub(crate) fn svg(title: &str, x_label: &str, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let x_scale = Scale::new(points().map(|(number, _)| *number), LEFT, RIGHT);
    let values = points().flat_map(|(_, value)| [value.low, value.high]);
    let y_scale = Scale::new(values, BOTTOM, TOP).rounded_outward();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 390\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"800\" height=\"390\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{}</text>\n\
         <text x=\"{:.0}\" y=\"376\" text-anchor=\"middle\">{}</text>\n",
        escape(title),
        f64::midpoint(LEFT, RIGHT),
        escape(x_label)
    );
    // Writing to a string cannot fail.
    for power in y_scale.from as i32..=y_scale.to as i32 {
        let value = 10f64.powi(power);
        let y = y_scale.position(value);
        let _ = writeln!(
            text,
            "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"#ddd\"/>\
             <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{value}</text>",
            LEFT - 8.0,
            y + 4.0
        );
    }
    let mut numbers: Vec<f64> = points().map(|(number, _)| *number).collect();
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    for number in numbers {
        let _ = writeln!(
            text,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{number}</text>",
            x_scale.position(number),
            BOTTOM + 20.0
        );
    }
    let ends: Vec<f64> = lines
        .iter()
        .map(|line| {
            line.points
                .last()
                .map_or(BOTTOM, |(_, value)| y_scale.position(value.median))
        })
        .collect();
    for ((index, line), label) in lines.iter().enumerate().zip(spread(&ends)) {
        let color = COLORS[index % COLORS.len()];
        let path: Vec<String> = line
            .points
            .iter()
            .map(|(number, value)| {
                format!(
                    "{:.1} {:.1}",
                    x_scale.position(*number),
                    y_scale.position(value.median)
                )
            })
            .collect();
        let _ = write!(
            text,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>",
            path.join("L")
        );
        for (number, value) in &line.points {
            let _ = write!(
                text,
                "<path d=\"M{:.1} {:.1}V{:.1}\" stroke=\"{color}\" stroke-width=\"4\" \
                 stroke-linecap=\"round\"/>",
                x_scale.position(*number),
                y_scale.position(value.low),
                y_scale.position(value.high)
            );
        }
        let last = line.points.last().map_or(0.0, |(_, value)| value.median);
        let _ = writeln!(
            text,
            "<text x=\"{:.0}\" y=\"{:.0}\" fill=\"{color}\">{} {}</text>",
            RIGHT + 12.0,
            label + 4.0,
            escape(&line.name),
            format_number(last)
        );
    }
    text + "</svg>\n"
}

/// A logarithmic scale: converts values to positions in the picture.
struct Scale {
    /// The logarithms of the smallest and largest value.
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    fn new(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let (low, high) = values.fold((f64::MAX, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let from = low.max(0.001).log10();
        Self {
            from,
            // A single value needs a scale, too.
            to: high.max(0.001).log10().max(from + 0.1),
            start,
            end,
        }
    }

    /// Extend to a power of ten at both ends.
    fn rounded_outward(self) -> Self {
        Self {
            from: self.from.floor(),
            to: self.to.ceil(),
            ..self
        }
    }

    fn position(&self, value: f64) -> f64 {
        let part = (value.max(0.001).log10() - self.from) / (self.to - self.from);
        self.start + part * (self.end - self.start)
    }
}

/// Move labels down as little as possible, so that they do not overlap.
fn spread(positions: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..positions.len()).collect();
    order.sort_by(|&a, &b| positions[a].total_cmp(&positions[b]));
    let mut moved = positions.to_vec();
    let mut free = f64::MIN;
    for index in order {
        moved[index] = moved[index].max(free);
        free = moved[index] + LABEL_DISTANCE;
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_lines_and_separates_labels() {
        let line = |name: &str, values: [f64; 2]| Line {
            name: name.to_owned(),
            points: [1.0, 500.0]
                .into_iter()
                .zip(values.map(|value| Summary::of(&[value]).unwrap()))
                .collect(),
        };
        let picture = svg(
            "a < b",
            "n",
            &[line("x", [1.0, 100.0]), line("y", [100.0, 100.0])],
        );
        assert!(picture.contains("a &lt; b"), "{picture}");
        // One line rises to the top, the other stays there.
        assert!(picture.contains("M60.0 330.0L610.0 50.0"), "{picture}");
        assert!(picture.contains("M60.0 50.0L610.0 50.0"), "{picture}");
        assert_eq!(
            spread(&[50.0, 50.0, 10.0]),
            [50.0, 50.0 + LABEL_DISTANCE, 10.0]
        );
    }

    #[test]
    fn draws_a_single_point() {
        let points = vec![(1.0, Summary::of(&[1.0]).unwrap())];
        let picture = svg(
            "t",
            "n",
            &[Line {
                name: "x".to_owned(),
                points,
            }],
        );
        assert!(
            !picture.contains("NaN") && !picture.contains("inf"),
            "{picture}"
        );
    }
}
