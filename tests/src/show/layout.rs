//! Where everything stands in a picture: which row a moment of time has, which column a lane has, and
//! which read took which bytes. Pure.

use super::recording::{Call, Event, Kind, Run, What};
use std::collections::HashMap;

/// Events that one picture shows; of more it says how many are missing.
pub const DRAWN_MAX: usize = 1500;

const ROW: f64 = 17.0;
const TOP: f64 = 54.0;
const PERSON_WIDTH: f64 = 130.0;
const THREAD_WIDTH: f64 = 200.0;
const CONSOLE_WIDTH: f64 = 190.0;
const MARGIN: f64 = 16.0;

/// Pixels of the height when it is to scale with time.
const TIME_HEIGHT: f64 = 900.0;

/// What one step down the page means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// One event.
    Steps,
    /// The same time everywhere.
    Time,
}

pub struct Layout<'a> {
    pub run: &'a Run,
    pub scale: Scale,
    /// What is drawn, in order.
    pub rows: Vec<Row<'a>>,
    /// Of each row; they never fall.
    times: Vec<u64>,
    /// Events that are not drawn.
    pub left_out: usize,
    /// Whether the server prints something, and needs a lane for it.
    has_console: bool,
}

#[derive(Clone, Copy)]
pub enum Row<'a> {
    /// The number of a moment.
    Moment(usize),
    Event(&'a Event),
}

impl<'a> Layout<'a> {
    pub fn new(run: &'a Run, scale: Scale) -> Layout<'a> {
        let drawn = &run.events[..run.events.len().min(DRAWN_MAX)];
        let mut rows: Vec<(u64, Row)> = run
            .moments
            .iter()
            .enumerate()
            .map(|(at, moment)| (moment.at, Row::Moment(at)))
            .collect();
        rows.extend(drawn.iter().map(|event| (event.at, Row::Event(event))));
        rows.sort_by_key(|(at, _)| *at); // stable: a moment stands above what happens in it
        if run.events.len() > DRAWN_MAX {
            let end = drawn.last().map_or(0, |event| event.at);
            rows.retain(|(at, _)| *at <= end);
        }
        Layout {
            run,
            scale,
            times: rows.iter().map(|(at, _)| *at).collect(),
            rows: rows.into_iter().map(|(_, row)| row).collect(),
            left_out: run.events.len() - drawn.len(),
            has_console: drawn.iter().any(|event| matches!(event.what, What::Shows { .. })),
        }
    }

    pub fn height(&self) -> f64 {
        let inside = match self.scale {
            Scale::Steps => ROW * self.rows.len() as f64,
            Scale::Time => TIME_HEIGHT,
        };
        TOP + inside + 2.0 * ROW
    }

    pub fn width(&self) -> f64 {
        let console = if self.has_console { CONSOLE_WIDTH } else { 0.0 };
        self.server_left() + THREAD_WIDTH * self.server_lanes() as f64 + console + MARGIN
    }

    fn server_lanes(&self) -> usize {
        self.run.threads.len().max(1)
    }

    fn server_left(&self) -> f64 {
        MARGIN + PERSON_WIDTH * self.run.people.len() as f64 + MARGIN
    }

    pub fn person_x(&self, who: &str) -> f64 {
        let place = self.run.people.iter().position(|name| name == who).unwrap_or_default();
        MARGIN + PERSON_WIDTH * (place as f64 + 0.12)
    }

    /// Of the server's thread, or of the server as one lane.
    pub fn thread_x(&self, id: Option<i32>) -> f64 {
        let at = |id: i32| self.run.threads.iter().position(|thread| thread.id == id);
        self.server_left() + THREAD_WIDTH * id.and_then(at).unwrap_or_default() as f64 + 12.0
    }

    /// Where the server begins, for what no thread was seen to take.
    pub fn server_x(&self) -> f64 {
        self.server_left() - 4.0
    }

    pub fn console_x(&self) -> Option<f64> {
        let x = self.server_left() + THREAD_WIDTH * self.server_lanes() as f64 + 12.0;
        self.has_console.then_some(x)
    }

    pub fn top(&self) -> f64 {
        TOP
    }

    /// The middle of row `index`.
    pub fn row_y(&self, index: usize) -> f64 {
        match self.scale {
            Scale::Steps => TOP + ROW * (index as f64 + 0.5),
            Scale::Time => self.y(self.times[index]),
        }
    }

    /// Of any moment of time: between the rows that stand before and behind it.
    pub fn y(&self, at: u64) -> f64 {
        match self.scale {
            Scale::Steps => TOP + ROW * self.times.partition_point(|time| *time < at) as f64,
            Scale::Time => {
                let first = self.times.first().copied().unwrap_or_default();
                let last = self.times.last().copied().unwrap_or_default().max(first + 1);
                let part = (at.clamp(first, last) - first) as f64 / (last - first) as f64;
                TOP + TIME_HEIGHT * part
            }
        }
    }

    /// For each row: the row of the other end of its arrow, where there is one.
    pub fn arrows(&self) -> HashMap<usize, usize> {
        let mut streams: HashMap<(&str, Direction), Stream> = HashMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            let Row::Event(event) = row else { continue };
            match &event.what {
                What::Sends { who, bytes, .. } => {
                    let stream = streams.entry((who, Direction::ToServer)).or_default();
                    stream.give(index, *bytes);
                }
                What::Receives { who, bytes, .. } => {
                    streams.entry((who, Direction::FromServer)).or_default().take(index, *bytes);
                }
                What::Call(Call { who: Some(who), bytes: Some(bytes), kind, .. }) => match kind {
                    Kind::Reads => {
                        streams.entry((who, Direction::ToServer)).or_default().take(index, *bytes);
                    }
                    Kind::Writes => {
                        streams
                            .entry((who, Direction::FromServer))
                            .or_default()
                            .give(index, *bytes);
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        let mut arrows = HashMap::new();
        for ((_, direction), stream) in streams {
            for (from, to) in stream.pairs() {
                match direction {
                    Direction::ToServer if from < to => arrows.insert(from, to),
                    Direction::ToServer => None,
                    // A write is shown where it ends, and may have been received before.
                    Direction::FromServer => arrows.insert(to, from),
                };
            }
        }
        arrows
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Direction {
    ToServer,
    FromServer,
}

/// The bytes of one direction of one connection: who gave them, and who took them.
#[derive(Debug, Default)]
struct Stream {
    /// Row, and how many bytes were given with it and before it.
    given: Vec<(usize, usize)>,
    taken: Vec<(usize, usize)>,
}

impl Stream {
    fn give(&mut self, row: usize, bytes: usize) {
        let before = self.given.last().map_or(0, |(_, end)| *end);
        self.given.push((row, before + bytes));
    }

    fn take(&mut self, row: usize, bytes: usize) {
        let before = self.taken.last().map_or(0, |(_, end)| *end);
        self.taken.push((row, before + bytes));
    }

    /// Each giving with the taking of its first byte, and each taking with the giving of its own:
    /// so two that were joined, and one that was split, both show.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let (mut pairs, mut start) = (Vec::new(), 0);
        for (row, end) in &self.given {
            let first = self.taken.iter().find(|(_, taken)| *taken > start);
            pairs.extend(first.map(|(taker, _)| (*row, *taker)));
            start = *end;
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_were_joined_go_to_one_read() {
        let mut stream = Stream::default();
        stream.give(1, 4);
        stream.give(2, 4);
        stream.take(3, 8);
        assert_eq!(stream.pairs(), [(1, 3), (2, 3)]);
    }

    #[test]
    fn bytes_that_were_split_begin_in_the_first_of_several_reads() {
        let mut stream = Stream::default();
        stream.give(1, 8);
        stream.take(2, 3);
        stream.take(3, 5);
        assert_eq!(stream.pairs(), [(1, 2)]);
    }
}
