//! One short conversation, sent whole, cut at every byte, byte by byte, and in one segment (rule
//! L1). Where these checks stand among the others says `framing`.

use super::framing::in_between;
use crate::check::difference::visible;
use crate::check::{Context, Label, Outcome, Person, Protocol};

/// What one newcomer sends, and what bob must hear of it.
struct Script {
    bytes: Vec<u8>,
    /// The end of each line in `bytes`, with what bob hears when it is there.
    lines: Vec<(usize, Option<String>)>,
}

/// Registers, and says things with CR LF, with characters of two and four bytes, and with a colon.
fn script(protocol: Protocol, name: &str, to: &str) -> Script {
    let mut script = Script { bytes: Vec::new(), lines: Vec::new() };
    let mut add = |line: String, end: &str, heard: Option<String>| {
        script.bytes.extend_from_slice(line.as_bytes());
        script.bytes.extend_from_slice(end.as_bytes());
        script.lines.push((script.bytes.len(), heard));
    };
    add(protocol.registration(name), "\r\n", None);
    for (text, end) in [("one", "\n"), ("gr\u{fc}\u{df} dich \u{1f44d}", "\r\n"), ("a:b", "\n")] {
        add(protocol.saying(to, text), end, Some(protocol.heard(name, text)));
    }
    script
}

impl Script {
    fn lines_within(&self, from: usize, to: usize) -> impl Iterator<Item = &str> {
        let inside = self.lines.iter().filter(move |(end, _)| (from + 1..=to).contains(end));
        inside.filter_map(|(_, heard)| heard.as_deref())
    }

    /// The line in which `cut` lies, and how many of its bytes come before it.
    fn at(&self, cut: usize) -> (String, usize) {
        let start =
            self.lines.iter().map(|line| line.0).filter(|end| *end <= cut).max().unwrap_or(0);
        let end = self.lines.iter().map(|line| line.0).find(|end| *end > cut).unwrap_or(start);
        (visible(&self.bytes[start..end]), cut - start)
    }
}

/// Who fails here fails because of what is in the lines, not because of the cuts.
pub fn line_by_line(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut dan = ctx.connects("dan")?;
    let script = script(ctx.protocol, &dan.name, &bob.name);
    let mut start = 0;
    for (end, heard) in &script.lines {
        dan.send(&script.bytes[start..*end])?;
        if let Some(heard) = heard {
            bob.hears_line(heard)
                .because("a line that arrives whole must be delivered as it is")?;
        }
        start = *end;
    }
    Ok(())
}

pub fn cut_everywhere(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut carol = ctx.joins("carol")?;
    let length = script(ctx.protocol, &ctx.name("dan00"), &bob.name).bytes.len();
    for cut in 1..length {
        let mut dan = ctx.connects(&format!("dan{cut:02}"))?;
        let script = script(ctx.protocol, &dan.name, &bob.name);
        let (line, byte) = script.at(cut);
        let what = format!("fails when `{line}` is split after byte {byte}");
        dan.send(&script.bytes[..cut])?;
        hears_all(&mut bob, script.lines_within(0, cut))
            .and_then(|()| in_between(&mut carol, &mut bob, &format!("tick {cut}")))
            .means("recv-is-not-a-message", what.clone())?;
        dan.send(&script.bytes[cut..])?;
        hears_all(&mut bob, script.lines_within(cut, length))
            .means("recv-is-not-a-message", what)?;
    }
    Ok(())
}

fn hears_all<'a>(bob: &mut Person, lines: impl Iterator<Item = &'a str>) -> Outcome {
    for line in lines {
        bob.hears_line(line)?;
    }
    Ok(())
}

pub fn byte_by_byte(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut carol = ctx.joins("carol")?;
    let mut dan = ctx.connects("dan")?;
    let script = script(ctx.protocol, &dan.name, &bob.name);
    for index in 0..script.bytes.len() {
        dan.send(&script.bytes[index..=index])?;
        hears_all(&mut bob, script.lines_within(index, index + 1))
            .and_then(|()| in_between(&mut carol, &mut bob, &format!("tick {index}")))
            .means("recv-is-not-a-message", "fails when every byte is a segment of its own")?;
    }
    Ok(())
}

pub fn all_in_one_segment(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut dan = ctx.connects("dan")?;
    let script = script(ctx.protocol, &dan.name, &bob.name);
    dan.send(&script.bytes)?;
    hears_all(&mut bob, script.lines_within(0, script.bytes.len()))
        .means("recv-is-not-a-message", "fails when a name and three messages are one segment")
}
