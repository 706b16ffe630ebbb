//! A bar chart as SVG, with the quartiles as a line. The scale is logarithmic if the values differ
//! greatly.

use std::fmt::Write;

use crate::stats::{Summary, format_number};

/// One bar.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: Summary,
    /// Whether its results were wrong. Such a bar is pale.
    pub(crate) is_wrong: bool,
}

/// The scale is logarithmic if the largest value is more than this many times the smallest.
const LOG_SCALE_RATIO: f64 = 20.0;
const ROW_HEIGHT: f64 = 22.0;
const LEFT: f64 = 250.0;
const WIDTH: f64 = 420.0;

/// Draw a chart. `unit` follows each number.
pub(crate) fn svg(title: &str, unit: &str, bars: &[Bar]) -> String {
    let lowest = bars
        .iter()
        .map(|bar| bar.value.low)
        .fold(f64::MAX, f64::min);
    let highest = bars.iter().map(|bar| bar.value.high).fold(0.0, f64::max);
    // From the power of ten below the smallest value to the largest value.
    let (from, to) = (
        lowest.max(0.001).log10().floor(),
        highest.max(0.002).log10(),
    );
    let x = |value: f64| match highest > LOG_SCALE_RATIO * lowest && lowest > 0.0 {
        true => LEFT + WIDTH * (value.max(0.001).log10() - from) / (to - from),
        false => LEFT + WIDTH * value / highest,
    };
    let height = ROW_HEIGHT * bars.len() as f64 + 50.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"800\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{}</text>\n",
        escape(title)
    );
    for (index, bar) in bars.iter().enumerate() {
        let top = 36.0 + ROW_HEIGHT * index as f64;
        let (end, middle) = (x(bar.value.median), top + ROW_HEIGHT / 2.0);
        let color = match (bar.name.starts_with("portway"), bar.is_wrong) {
            (true, _) => "#0b7a75",
            (false, false) => "#7d8ca3",
            (false, true) => "#e3c7c0",
        };
        let wrong = if bar.is_wrong { ", wrong" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{:.0}\" width=\"{:.1}\" height=\"14\" fill=\"{color}\"/>\
             <path d=\"M{:.1} {middle}H{:.1}\" stroke=\"#222\"/>\
             <text x=\"{:.0}\" y=\"{:.0}\">{} {unit}{wrong}</text>",
            LEFT - 8.0,
            middle + 4.0,
            escape(&bar.name),
            top + 4.0,
            (end - LEFT).max(1.0),
            x(bar.value.low),
            x(bar.value.high),
            x(bar.value.high).max(end) + 6.0,
            middle + 4.0,
            format_number(bar.value.median),
        );
    }
    text + "</svg>\n"
}

/// Escape text for SVG.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_value_has_a_longer_bar() {
        let bar = |name: &str, value: f64| Bar {
            name: name.to_owned(),
            value: Summary::of(&[value]).unwrap(),
            is_wrong: false,
        };
        let picture = svg("a < b", "ms", &[bar("fast", 2.0), bar("slow", 200.0)]);
        let widths: Vec<f64> = picture
            .split("width=\"")
            .skip(2)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert!(widths[0] < widths[1], "{picture}");
        assert!(picture.contains("a &lt; b"));
    }
}
