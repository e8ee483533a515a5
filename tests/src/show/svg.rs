//! A run as a picture: people on the left, the server's threads on the right, time downwards.

use super::layout::{Layout, Row, Scale};
use super::recording::{Call, End, Event, Kind, Run, What};
use std::fmt::Write;

/// Characters of a label; all of it stands in the title, and in the table below the picture.
const LABEL_CHARS: usize = 21;
const CALL_CHARS: usize = 33;

/// Pixels between two labels of one lane, where the height is to scale with time.
const LABELS_APART: f64 = 11.0;

/// A file of its own, for a book: with the colours of the page in it, light and dark.
pub fn standalone(run: &Run) -> String {
    let style = format!("<style>{}</style>\n</svg>\n", include_str!("../../templates/show.css"));
    let picture = draw(run, Scale::Steps, "picture");
    picture.strip_suffix("</svg>\n").unwrap_or(&picture).to_string() + &style
}

/// `id` makes the names of its parts different from those of other pictures on a page.
pub fn draw(run: &Run, scale: Scale, id: &str) -> String {
    let layout = Layout::new(run, scale);
    let mut picture = Picture { layout, svg: String::new(), id, last_label: f64::MIN };
    picture.frame();
    picture.lanes();
    picture.rows();
    picture.svg += "</svg>\n";
    picture.svg
}

struct Picture<'a> {
    layout: Layout<'a>,
    svg: String,
    id: &'a str,
    /// Where the last label stands, when the height is to scale with time.
    last_label: f64,
}

impl Picture<'_> {
    fn put(&mut self, part: std::fmt::Arguments) {
        let _ = self.svg.write_fmt(part); // a String takes everything
        self.svg.push('\n');
    }

    fn frame(&mut self) {
        let (width, height, id) = (self.layout.width(), self.layout.height(), self.id);
        let (name, people) = (escape(&self.layout.run.name), self.layout.run.people.join(", "));
        let threads = self.layout.run.threads.len();
        self.put(format_args!(
            r#"<svg class="run" role="img" aria-labelledby="{id}-title {id}-desc" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" xmlns="http://www.w3.org/2000/svg">"#
        ));
        self.put(format_args!(r#"<title id="{id}-title">{name}</title>"#));
        self.put(format_args!(
            r#"<desc id="{id}-desc">{} on the left, {threads} threads of the server on the right, time downwards. All of it stands in the table below.</desc>"#,
            escape(&people)
        ));
        self.patterns();
    }

    /// Each kind of waiting has a pattern of its own, beside its colour.
    fn patterns(&mut self) {
        let id = self.id;
        self.put(format_args!(
            r#"<defs><marker id="{id}-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" class="tip"/></marker>"#
        ));
        for kind in Kind::ALL {
            let class = kind.class();
            let lines = match kind {
                Kind::Reads => r#"<path d="M0 4h8"/>"#,
                Kind::Anybody => r#"<circle cx="4" cy="4" r="1.4"/>"#,
                Kind::Thread => r#"<path d="M0 8 8 0"/>"#,
                Kind::Writes => r#"<path d="M0 0 8 8M0 8 8 0"/>"#,
                Kind::Prints => r#"<path d="M4 0v8"/>"#,
                Kind::Other => "",
            };
            self.put(format_args!(
                r#"<pattern id="{id}-{class}" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" class="wash {class}"/><g class="hatch {class}">{lines}</g></pattern>"#
            ));
        }
        self.put(format_args!("</defs>"));
    }

    fn lanes(&mut self) {
        let (top, bottom) = (self.layout.top() - 8.0, self.layout.height() - 20.0);
        let run = self.layout.run;
        for name in &run.people {
            let x = self.layout.person_x(name);
            self.lane(x, top, bottom, "person", name);
        }
        if run.threads.is_empty() {
            self.lane(self.layout.thread_x(None), top, bottom, "server", "the server");
        }
        for thread in &run.threads {
            let x = self.layout.thread_x(Some(thread.id));
            self.lane(x, top, bottom, "server", &thread.name);
        }
        if let Some(x) = self.layout.console_x() {
            self.lane(x, top, bottom, "console", "printed");
        }
    }

    fn lane(&mut self, x: f64, top: f64, bottom: f64, class: &str, name: &str) {
        let y = top - 10.0;
        self.put(format_args!(
            r#"<line class="lane {class}" x1="{x:.1}" y1="{top:.1}" x2="{x:.1}" y2="{bottom:.1}"/><text class="name {class}" x="{x:.1}" y="{y:.1}">{}</text>"#,
            escape(&shorten(name, CALL_CHARS))
        ));
    }

    fn rows(&mut self) {
        let arrows = self.layout.arrows();
        for index in 0..self.layout.rows.len() {
            let y = self.layout.row_y(index);
            let other = arrows.get(&index).copied();
            match self.layout.rows[index] {
                Row::Moment(moment) => self.moment(moment, y),
                Row::Event(event) => self.event(event, y, other),
            }
        }
        let left_out = self.layout.left_out + self.layout.run.calls_cut;
        if left_out > 0 {
            let y = self.layout.height() - 6.0;
            self.put(format_args!(
                r#"<text class="cut" x="12" y="{y:.1}">... {left_out} more events are not drawn</text>"#
            ));
        }
    }

    fn moment(&mut self, index: usize, y: f64) {
        let moment = &self.layout.run.moments[index];
        let (width, id) = (self.layout.width(), self.id);
        let class = if moment.missing.is_empty() { "moment" } else { "moment missing" };
        let missing = match moment.missing.is_empty() {
            true => String::new(),
            false => format!(" ✗ has not come: {}", moment.missing.join("; ")),
        };
        let text = escape(&format!("{}{missing}", moment.what));
        let (top, base) = (y - 8.5, y + 4.0);
        self.put(format_args!(
            r#"<g class="{class}" id="{id}-m{index}" data-y="{top:.0}"><rect x="0" y="{top:.1}" width="{width:.0}" height="17"/><text x="6" y="{base:.1}">{text}</text></g>"#
        ));
    }

    fn event(&mut self, event: &Event, y: f64, other: Option<usize>) {
        match &event.what {
            What::Connects { who } => self.arrow_in(who, y, None, "connects", "connects"),
            What::Sends { who, text, bytes, times } => {
                let many = if *times > 1 { format!("{times} × ") } else { String::new() };
                let label = format!("{many}{text}");
                let title = format!("{who} sends {bytes} bytes: {label}");
                self.arrow_in(who, y, other, &label, &title);
            }
            What::Receives { who, text, bytes } => {
                let title = format!("{who} receives {bytes} bytes: {text}");
                self.arrow_out(who, y, other, text, &title);
            }
            What::Ends { who, how: End::Fin } => {
                self.arrow_in(who, y, None, "FIN", &format!("{who} will send no more (FIN)"));
            }
            What::Ends { who, how: End::Reset } => {
                self.arrow_in(who, y, None, "✗ RST", &format!("{who} resets the connection"));
            }
            What::SeesEnd { who, how } => {
                let label = if *how == End::Fin { "FIN" } else { "✗ RST" };
                self.arrow_out(who, y, None, label, &format!("{who} sees the end ({label})"));
            }
            What::Types { who, text } => {
                self.arrow_in(who, y, None, text, &format!("{who} types at the server: {text}"));
            }
            What::Shows { text } => self.shown(y, text),
            What::Call(call) => self.call(call, event.at, y),
            What::Wakes { from, to } => self.wakes(*from, *to, y),
        }
    }

    fn arrow_in(&mut self, who: &str, y: f64, other: Option<usize>, label: &str, title: &str) {
        let x = self.layout.person_x(who);
        let (to_x, to_y) = self.server_end(y, other);
        self.arrow("sent", (x, y), (to_x - 6.0, to_y), title);
        self.label(x + 6.0, y - 3.0, "sent", label, LABEL_CHARS, title);
    }

    fn arrow_out(&mut self, who: &str, y: f64, other: Option<usize>, label: &str, title: &str) {
        let x = self.layout.person_x(who);
        let from = self.server_end(y, other);
        self.arrow("received", (from.0 - 6.0, from.1), (x + 2.0, y), title);
        self.label(x + 6.0, y - 3.0, "received", label, LABEL_CHARS, title);
    }

    /// Where an arrow meets the server: at the thread that was seen with these bytes.
    fn server_end(&self, y: f64, other: Option<usize>) -> (f64, f64) {
        let Some(index) = other else { return (self.layout.server_x(), y) };
        match self.layout.rows[index] {
            Row::Event(Event { what: What::Call(call), .. }) => {
                let x = self.layout.thread_x(Some(call.thread));
                let end = self.layout.row_y(index);
                // What is sent may be received before the call that sends it has ended.
                let sends = call.kind == Kind::Writes && end > y;
                (x, if sends { self.layout.y(call.began).min(y) } else { end })
            }
            _ => (self.layout.server_x(), y),
        }
    }

    fn arrow(&mut self, class: &str, from: (f64, f64), to: (f64, f64), title: &str) {
        let id = self.id;
        self.put(format_args!(
            r#"<path class="arrow {class}" marker-end="url(#{id}-tip)" d="M{:.1} {:.1}L{:.1} {:.1}"><title>{}</title></path>"#,
            from.0,
            from.1,
            to.0,
            to.1,
            escape(title)
        ));
    }

    fn label(&mut self, x: f64, y: f64, class: &str, text: &str, chars: usize, title: &str) {
        if self.layout.scale == Scale::Time {
            if y - self.last_label < LABELS_APART {
                return; // it stands in the title of the arrow
            }
            self.last_label = y;
        }
        let (text, title) = (escape(&shorten(text, chars)), escape(title));
        self.put(format_args!(
            r#"<text class="label {class}" x="{x:.1}" y="{y:.1}">{text}<title>{title}</title></text>"#
        ));
    }

    fn shown(&mut self, y: f64, text: &str) {
        let x = self.layout.console_x().unwrap_or_default();
        self.put(format_args!(r#"<circle class="shown" cx="{x:.1}" cy="{y:.1}" r="2.5"/>"#));
        self.label(
            x + 6.0,
            y + 3.0,
            "shown",
            text,
            LABEL_CHARS,
            &format!("the server prints: {text}"),
        );
    }

    fn call(&mut self, call: &Call, at: u64, y: f64) {
        let x = self.layout.thread_x(Some(call.thread));
        let from = self.layout.y(call.began).min(y);
        let (height, class) = ((y - from).max(3.0), call.kind.class());
        let micros = at.saturating_sub(call.began);
        let title = format!(
            "{}: {} (for {})",
            self.layout.run.thread_name(call.thread),
            call.words,
            duration(micros)
        );
        let (left, id, shown) = (x - 5.0, self.id, escape(&title));
        self.put(format_args!(
            r#"<rect class="call {class}" fill="url(#{id}-{class})" x="{left:.1}" y="{from:.1}" width="10" height="{height:.1}"><title>{shown}</title></rect>"#
        ));
        self.label(x + 9.0, y + 3.0, class, &call.words, CALL_CHARS, &title);
    }

    fn wakes(&mut self, from: i32, to: i32, y: f64) {
        let (from_x, to_x) = (self.layout.thread_x(Some(from)), self.layout.thread_x(Some(to)));
        let run = self.layout.run;
        let title = format!("{} wakes {}", run.thread_name(from), run.thread_name(to));
        self.arrow("wakes", (from_x, y), (to_x, y), &title);
    }
}

/// `0.31 ms`, `4.2 s`.
pub fn duration(micros: u64) -> String {
    match micros {
        0..10_000 => format!("{:.2} ms", micros as f64 / 1e3),
        10_000..1_000_000 => format!("{:.0} ms", micros as f64 / 1e3),
        _ => format!("{:.1} s", micros as f64 / 1e6),
    }
}

pub fn shorten(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
}

pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '&' => safe += "&amp;",
            '"' => safe += "&quot;",
            c if c.is_control() => safe.extend(c.escape_default()),
            c => safe.push(c),
        }
    }
    safe
}
