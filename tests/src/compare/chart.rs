//! Charts as SVG text. Colours come from the page's style sheet, so that the same chart is
//! readable in light, dark and print; a series also has a mark of its own, for those who print
//! in grey or see colours differently.

use super::figures::{count, readable};
use super::statistics::Spread;
use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 44.0;

/// Names beside the lines' ends need this much room, in pixels.
const LABEL_HEIGHT: f64 = 15.0;

#[derive(Debug)]
pub struct Chart {
    /// One sentence for those who cannot see it.
    pub label: String,
    pub series: Vec<Series>,
}

#[derive(Debug)]
pub struct Series {
    pub name: String,
    /// Which of the colours and marks, from 0: a contestant has the same in all charts.
    pub style: usize,
    pub points: Vec<(f64, Spread)>,
}

impl Chart {
    /// `None`: there is nothing to show, or one place only, which is no line.
    pub fn svg(&self) -> Option<String> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let clients = || points().map(|(x, _)| *x);
        let first = clients().next()?;
        clients().find(|x| *x != first)?;
        let low = points().map(|(_, y)| y.interval().0).filter(|y| *y > 0.0);
        let high = points().map(|(_, y)| y.interval().1).filter(|y| *y > 0.0);
        let y = Scale::decades(low, high, (HEIGHT - BOTTOM, TOP))?;
        let x = Scale::decades(clients(), clients(), (LEFT, WIDTH - RIGHT))?;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
            escaped(&self.label)
        );
        draw_axes(&mut svg, &x, &y);
        for series in &self.series {
            draw_series(&mut svg, series, &x, &y);
        }
        self.draw_names(&mut svg, &y);
        svg.push_str("</svg>");
        Some(svg)
    }

    /// Each line's name at its end, moved apart where two would cover each other.
    fn draw_names(&self, svg: &mut String, y: &Scale) {
        let end =
            |series: &Series| series.points.last().map(|(_, spread)| y.place(spread.median()));
        let mut names: Vec<(f64, &Series)> =
            self.series.iter().filter_map(|series| Some((end(series)?, series))).collect();
        names.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let mut free = TOP;
        for (wanted, series) in names {
            let at = wanted.max(free);
            free = at + LABEL_HEIGHT;
            let (x, style) = (WIDTH - RIGHT + 10.0, series.style % STYLES);
            let _ = write!(svg, "<g class=\"s{style}\">");
            mark(svg, style, (x + 4.0, at));
            text(svg, "start", (x + 14.0, at + 4.0), &series.name);
            svg.push_str("</g>\n");
        }
    }
}

fn draw_axes(svg: &mut String, x: &Scale, y: &Scale) {
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    for tick in y.ticks() {
        let at = y.place(tick);
        line(svg, "grid", (LEFT, at), (right, at));
        text(svg, "end", (LEFT - 8.0, at + 4.0), &readable(tick));
    }
    for tick in x.ticks() {
        let at = x.place(tick);
        line(svg, "grid", (at, TOP), (at, bottom));
        text(svg, "middle", (at, bottom + 18.0), &count(tick as usize));
    }
    line(svg, "axis", (LEFT, bottom), (right, bottom));
    text(svg, "middle", ((LEFT + right) / 2.0, HEIGHT - 6.0), "clients");
}

/// As many colours and marks as there are.
const STYLES: usize = 6;

fn draw_series(svg: &mut String, series: &Series, x: &Scale, y: &Scale) {
    let shown = series.points.iter().filter(|(_, spread)| spread.median() > 0.0);
    let points: Vec<(f64, &Spread)> = shown.map(|(at, spread)| (x.place(*at), spread)).collect();
    let style = series.style % STYLES;
    let _ = write!(svg, "<g class=\"s{style}\"><polyline points=\"");
    for (at, spread) in &points {
        let _ = write!(svg, "{at:.1},{:.1} ", y.place(spread.median()));
    }
    svg.push_str("\"/>\n");
    for (at, spread) in points {
        let (low, high) = spread.interval();
        line(svg, "spread", (at, y.place(low)), (at, y.place(high)));
        let _ = write!(svg, "<g><title>{}: {spread}</title>", escaped(&series.name));
        mark(svg, style, (at, y.place(spread.median())));
        svg.push_str("</g>\n");
    }
    svg.push_str("</g>\n");
}

/// A shape of its own for each style: circle, square, diamond, triangle, cross, bar.
fn mark(svg: &mut String, style: usize, (x, y): (f64, f64)) {
    let path = match style {
        0 => "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0z",
        1 => "M-4,-4h8v8h-8z",
        2 => "M0,-6l6,6l-6,6l-6,-6z",
        3 => "M0,-5.5l5.5,10h-11z",
        4 => "M-2,-5h4v3h3v4h-3v3h-4v-3h-3v-4h3z",
        _ => "M-5,-2h10v4h-10z",
    };
    let _ = write!(svg, "<path d=\"{path}\" transform=\"translate({x:.1},{y:.1})\"/>");
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    );
}

fn text(svg: &mut String, anchor: &str, (x, y): (f64, f64), text: &str) {
    let _ = writeln!(
        svg,
        "<text text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
        escaped(text)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// From values to pixels, a decade as long as the next.
struct Scale {
    /// Both as powers of ten.
    low: f64,
    high: f64,
    pixels: (f64, f64),
}

impl Scale {
    fn decades(
        low: impl Iterator<Item = f64>,
        high: impl Iterator<Item = f64>,
        pixels: (f64, f64),
    ) -> Option<Scale> {
        let low = low.min_by(f64::total_cmp)?.log10();
        let high = high.max_by(f64::total_cmp)?.log10();
        let margin = ((high - low) * 0.06).max(0.05);
        Some(Scale { low: low - margin, high: high + margin, pixels })
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.log10() - self.low) / (self.high - self.low);
        self.pixels.0 + share.clamp(0.0, 1.0) * (self.pixels.1 - self.pixels.0)
    }

    /// The powers of ten; where there are fewer than three, 2 and 5 times them as well.
    fn ticks(&self) -> impl Iterator<Item = f64> {
        let decades = (self.low.floor() as i32)..=(self.high.ceil() as i32);
        let (low, high) = (self.low, self.high);
        let within = move |value: &f64| (low..=high).contains(&value.log10());
        let tens = decades.map(|power| 10f64.powi(power));
        let few = tens.clone().filter(within).count() < 3;
        let steps: &[f64] = if few { &[1.0, 2.0, 5.0] } else { &[1.0] };
        tens.flat_map(move |ten| steps.iter().map(move |step| step * ten)).filter(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, Spread)>) -> Chart {
        Chart {
            label: "a < b".to_string(),
            series: vec![Series { name: "stage3".to_string(), style: 0, points }],
        }
    }

    #[test]
    fn a_chart_shows_each_point_and_escapes_text() {
        let spread = |value: f64| Spread::of([value, value * 1.2]).unwrap();
        let svg = chart(vec![(10.0, spread(1.0)), (1000.0, spread(30.0))]).svg().unwrap();
        assert_eq!(svg.matches("<title>stage3").count(), 2);
        assert!(svg.contains("a &lt; b"));
        assert!(svg.contains(">100<"), "a tick for each decade: {svg}");
    }

    #[test]
    fn without_two_places_there_is_no_chart() {
        assert_eq!(chart(Vec::new()).svg(), None);
        assert_eq!(chart(vec![(10.0, Spread::of([1.0]).unwrap())]).svg(), None);
    }
}
