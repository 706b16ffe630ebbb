//! A picture of how something grows: lines over a number, both scales logarithmic.

use std::fmt::Write;

use crate::chart::escaped;
use crate::stats::{Summary, short};

/// One line; its points have a number and what was measured there.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, Summary)>,
}

/// Where the lines are drawn.
const LEFT: f64 = 60.0;
const RIGHT: f64 = 610.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 330.0;
/// As far apart as names stand at least.
const APART: f64 = 17.0;
const COLOURS: [&str; 5] = ["#0b7a75", "#c2571a", "#5b4b9a", "#7d8ca3", "#222"];

/// The picture, in SVG. The quartiles are strokes; the name stands at a line's end.
pub(crate) fn svg(title: &str, below: &str, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let across = Scale::of(points().map(|(number, _)| *number), LEFT, RIGHT);
    // A power of ten at both ends.
    let values = points().flat_map(|(_, value)| [value.low, value.high]);
    let up = Scale::of(values, BOTTOM, TOP).widened();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 390\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"800\" height=\"390\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{}</text>\n\
         <text x=\"{:.0}\" y=\"376\" text-anchor=\"middle\">{}</text>\n",
        escaped(title),
        f64::midpoint(LEFT, RIGHT),
        escaped(below)
    );
    // Writing to a string cannot fail.
    for power in up.from as i32..=up.to as i32 {
        let value = 10f64.powi(power);
        let y = up.at(value);
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
            across.at(number),
            BOTTOM + 20.0
        );
    }
    let ends: Vec<f64> = lines
        .iter()
        .map(|line| {
            line.points
                .last()
                .map_or(BOTTOM, |(_, value)| up.at(value.median))
        })
        .collect();
    for ((index, line), label) in lines.iter().enumerate().zip(spread(&ends)) {
        let colour = COLOURS[index % COLOURS.len()];
        let path: Vec<String> = line
            .points
            .iter()
            .map(|(number, value)| format!("{:.1} {:.1}", across.at(*number), up.at(value.median)))
            .collect();
        let _ = write!(
            text,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join("L")
        );
        for (number, value) in &line.points {
            let _ = write!(
                text,
                "<path d=\"M{:.1} {:.1}V{:.1}\" stroke=\"{colour}\" stroke-width=\"4\" \
                 stroke-linecap=\"round\"/>",
                across.at(*number),
                up.at(value.low),
                up.at(value.high)
            );
        }
        let last = line.points.last().map_or(0.0, |(_, value)| value.median);
        let _ = writeln!(
            text,
            "<text x=\"{:.0}\" y=\"{:.0}\" fill=\"{colour}\">{} {}</text>",
            RIGHT + 12.0,
            label + 4.0,
            escaped(&line.name),
            short(last)
        );
    }
    text + "</svg>\n"
}

/// From powers of ten to places in the picture.
struct Scale {
    from: f64,
    to: f64,
    begin: f64,
    end: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64>, begin: f64, end: f64) -> Self {
        let (low, high) = values.fold((f64::MAX, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let from = low.max(0.001).log10();
        Self {
            from,
            // One number alone is a scale too.
            to: high.max(0.001).log10().max(from + 0.1),
            begin,
            end,
        }
    }

    fn widened(self) -> Self {
        Self {
            from: self.from.floor(),
            to: self.to.ceil(),
            ..self
        }
    }

    fn at(&self, value: f64) -> f64 {
        let part = (value.max(0.001).log10() - self.from) / (self.to - self.from);
        self.begin + part * (self.end - self.begin)
    }
}

/// The places moved down, where they are too near to one another, by as little as it takes.
fn spread(places: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
    let mut moved = places.to_vec();
    let mut free = f64::MIN;
    for index in order {
        moved[index] = moved[index].max(free);
        free = moved[index] + APART;
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_grows_goes_up_and_names_do_not_overlap() {
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
        // From the bottom left to the top right; level at the top.
        assert!(picture.contains("M60.0 330.0L610.0 50.0"), "{picture}");
        assert!(picture.contains("M60.0 50.0L610.0 50.0"), "{picture}");
        assert_eq!(spread(&[50.0, 50.0, 10.0]), [50.0, 50.0 + APART, 10.0]);
    }

    #[test]
    fn one_point_is_a_picture_too() {
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
