//! What will happen in a round, all of it from a seed: the same seed plans the same round.
//!
//! Pure. What the plan cannot choose is when the threads of the server and of the lab run.

use std::ops::Range;

/// The clients that stay from the first round to the last.
pub const STEADY: [&str; 10] =
    ["ann", "ben", "cyd", "dan", "eve", "fay", "gus", "hal", "ida", "joe"];

/// Lines of each of them in a round, without the closing one.
const LINES_EACH: Range<usize> = 20..40;

/// Acts in a round beside one of each kind.
const MORE_ACTS: usize = 3;

/// One line in so many is nearly as long as rule L3 allows.
const LONG_EVERY: usize = 25;
const LONG_WORDS_BYTES: usize = 1800;

/// Visitors who reset, in one act, where nobody asks for more.
const STORM: Range<usize> = 8..32;

/// Characters of one, two, three and four bytes: a segment that ends inside of one must not
/// damage it.
const WORDS: [&str; 8] = ["tea", "kettle", "čaj", "thé", "茶", "お茶", "🫖", "two  blanks"];

/// What a visitor has said when it resets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Nothing,
    HalfAName,
    AName,
}

/// Something that a visitor does to the server while the others talk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Each of these connects, and resets at once.
    Storm(Vec<Said>),
    LeaveInMidLine {
        by_reset: bool,
    },
    HalfClose,
    NeverRead {
        reads_late: bool,
    },
    EndlessLine,
    NotUtf8,
    /// So many want the same free name.
    Race {
        runners: usize,
    },
    /// The name of this one of the ten, in capitals.
    TakenName {
        owner: usize,
    },
    /// Resets while lines wait for it, so many times, and comes back under its name.
    ResetAndReturn {
        times: usize,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub seed: u64,
    /// The one of the ten who resets before the round and comes back under its name.
    pub returns: usize,
    /// For each of the ten, its lines: for whom each is (S3 alone heeds it), and its words.
    pub lines: Vec<Vec<(usize, String)>>,
    pub acts: Vec<Act>,
}

impl Plan {
    /// `storm`: so many visitors who reset in one act.
    pub fn of(seed: u64, storm: Option<usize>) -> Plan {
        let mut random = fastrand::Rng::with_seed(seed);
        let lines = (0..STEADY.len()).map(|speaker| speech(speaker, &mut random)).collect();
        let mut kinds: Vec<usize> = (0..KINDS).collect();
        kinds.extend((0..MORE_ACTS).map(|_| random.usize(..KINDS)));
        random.shuffle(&mut kinds);
        let acts = kinds.into_iter().map(|kind| act(kind, storm, &mut random)).collect();
        Plan { seed, returns: random.usize(..STEADY.len()), lines, acts }
    }

    /// The bytes of one speaker in segments, so many of them before each act.
    pub fn segments(&self, speaker: usize, bytes: &[u8]) -> Vec<Vec<Range<usize>>> {
        let mut random = fastrand::Rng::with_seed(self.seed ^ ((speaker as u64 + 1) << 32));
        let cuts = cut(bytes, &mut random);
        let each = cuts.len().div_ceil(self.acts.len()).max(1);
        let mut slices: Vec<_> = cuts.chunks(each).map(<[_]>::to_vec).collect();
        slices.resize(self.acts.len(), Vec::new());
        slices
    }
}

fn speech(speaker: usize, random: &mut fastrand::Rng) -> Vec<(usize, String)> {
    let others = STEADY.len() - 1;
    let line = |number: usize, random: &mut fastrand::Rng| {
        let to = (speaker + 1 + number % others) % STEADY.len();
        (to, words(random))
    };
    (0..random.usize(LINES_EACH)).map(|number| line(number, random)).collect()
}

fn words(random: &mut fastrand::Rng) -> String {
    let long = random.usize(..LONG_EVERY) == 0;
    let bytes = if long { LONG_WORDS_BYTES } else { random.usize(1..60) };
    let mut words = String::new();
    while words.len() < bytes {
        words.push_str(WORDS[random.usize(..WORDS.len())]);
        words.push(' ');
    }
    words.trim_end().to_string()
}

/// How many kinds of acts there are.
const KINDS: usize = 10;

fn act(kind: usize, storm: Option<usize>, random: &mut fastrand::Rng) -> Act {
    match kind {
        0 => Act::Storm(visitors(storm.unwrap_or_else(|| random.usize(STORM)), random)),
        1 => Act::LeaveInMidLine { by_reset: false },
        2 => Act::HalfClose,
        3 => Act::NeverRead { reads_late: random.bool() },
        4 => Act::EndlessLine,
        5 => Act::NotUtf8,
        6 => Act::Race { runners: random.usize(2..8) },
        7 => Act::TakenName { owner: random.usize(..STEADY.len()) },
        8 => Act::LeaveInMidLine { by_reset: true },
        _ => Act::ResetAndReturn { times: random.usize(1..4) },
    }
}

fn visitors(count: usize, random: &mut fastrand::Rng) -> Vec<Said> {
    let said = [Said::Nothing, Said::HalfAName, Said::AName];
    (0..count).map(|_| said[random.usize(..said.len())]).collect()
}

/// Cuts `bytes` into segments: single bytes, parts of lines, parts of characters, many lines.
fn cut(bytes: &[u8], random: &mut fastrand::Rng) -> Vec<Range<usize>> {
    let mut segments = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let left = &bytes[start..];
        let length = match random.usize(..5) {
            0 => 1,
            1 => left.iter().position(|byte| *byte >= 0xc0).map_or(1, |at| at + 1),
            2 => random.usize(1..400),
            _ => random.usize(1..40),
        };
        let end = start + length.min(left.len());
        segments.push(start..end);
        start = end;
    }
    segments
}

/// How often a segment of these is cut in each of the three ways that trouble a careless server.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Cuts {
    pub one_byte: u64,
    pub several_lines: u64,
    pub in_a_character: u64,
}

pub fn count(bytes: &[u8], segments: &[Range<usize>]) -> Cuts {
    let mut cuts = Cuts::default();
    for segment in segments {
        let lines = bytes[segment.clone()].iter().filter(|byte| **byte == b'\n').count();
        let next = bytes.get(segment.end);
        cuts.one_byte += u64::from(segment.len() == 1);
        cuts.several_lines += u64::from(lines > 1);
        cuts.in_a_character += u64::from(next.is_some_and(|byte| byte & 0xc0 == 0x80));
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::discriminant;

    #[test]
    fn the_same_seed_plans_the_same_round() {
        assert_eq!(Plan::of(7, None), Plan::of(7, None));
        assert_ne!(Plan::of(7, None), Plan::of(8, None));
    }

    #[test]
    fn every_round_has_every_kind_of_act() {
        let mut random = fastrand::Rng::with_seed(1);
        for seed in 0..50 {
            let plan = Plan::of(seed, None);
            for kind in 0..KINDS {
                let wanted = discriminant(&act(kind, None, &mut random));
                assert!(plan.acts.iter().any(|act| discriminant(act) == wanted), "{kind}");
            }
            for by_reset in [true, false] {
                assert!(plan.acts.contains(&Act::LeaveInMidLine { by_reset }), "{seed}");
            }
        }
    }

    #[test]
    fn a_storm_is_as_large_as_it_is_asked_to_be() {
        let plan = Plan::of(1, Some(5000));
        let storm = |act: &Act| matches!(act, Act::Storm(visitors) if visitors.len() == 5000);
        assert!(plan.acts.iter().any(storm));
    }

    #[test]
    fn nobody_writes_to_itself() {
        for (speaker, lines) in Plan::of(3, None).lines.iter().enumerate() {
            assert!(lines.iter().all(|(to, _)| *to != speaker && *to < STEADY.len()));
        }
    }

    #[test]
    fn the_segments_are_the_bytes_in_their_order_and_cut_in_every_way() {
        let plan = Plan::of(5, None);
        let bytes = "one tea\nčaj 🫖\n".repeat(200).into_bytes();
        for speaker in 0..STEADY.len() {
            let slices = plan.segments(speaker, &bytes);
            assert_eq!(slices.len(), plan.acts.len());
            let segments = slices.concat();
            let joined: Vec<u8> =
                segments.iter().flat_map(|segment| bytes[segment.clone()].to_vec()).collect();
            assert_eq!(joined, bytes);
            let cuts = count(&bytes, &segments);
            assert!(cuts.one_byte > 0 && cuts.several_lines > 0 && cuts.in_a_character > 0);
        }
    }
}
