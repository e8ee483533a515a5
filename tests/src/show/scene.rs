//! The scenes that no conversation shows: what goes wrong in a network, one thing at a time.

use super::playing::Playing;
use clap::ValueEnum;

/// Bytes that the stalled reader's kernel takes for it, as asked; Linux doubles it.
const SMALL_BUFFER_BYTES: usize = 4096;

/// Lines of the flood, at most: with 1,900 bytes each more than all buffers of a loopback connection
/// and the 1 MiB of rule L13 together.
const FLOOD_LINES_MAX: usize = 8000;

/// Lines of the flooder who only talks much.
const CHATTER_LINES: usize = 300;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scene {
    /// zoe does not read, and ann sends until somebody's buffer is full: does bob wait?
    Stalled,
    /// bob says that he will send no more, and still wants his answer
    HalfClose,
    /// bob's machine dies in the middle of ann's words
    Reset,
    /// bob talks without end: can ann still say something to cem?
    Flood,
    /// zoe connects and says nothing: can bob come in?
    Silent,
    /// a line in three pieces, and two lines in one
    Pieces,
}

impl Scene {
    pub fn title(self) -> &'static str {
        match self {
            Scene::Stalled => "A stalled reader: zoe does not read",
            Scene::HalfClose => "A half-close: bob has said all",
            Scene::Reset => "A reset: bob's machine dies",
            Scene::Flood => "A flood: bob talks without end",
            Scene::Silent => "A silent newcomer: zoe says nothing",
            Scene::Pieces => "Bytes are no lines: pieces",
        }
    }

    pub fn play(self, playing: &mut Playing) -> anyhow::Result<()> {
        match self {
            Scene::Stalled => stalled(playing),
            Scene::HalfClose => half_close(playing),
            Scene::Reset => reset(playing),
            Scene::Flood => flood(playing),
            Scene::Silent => silent(playing),
            Scene::Pieces => pieces(playing),
        }
    }
}

fn stalled(playing: &mut Playing) -> anyhow::Result<()> {
    playing.arrive("ann", None)?;
    playing.arrive("bob", None)?;
    arrive_without_reading(playing, "zoe", Some(SMALL_BUFFER_BYTES))?;
    playing.moment("ann sends lines of 1,900 bytes, and zoe does not read");
    playing.flood("ann", "zoe", &"z".repeat(1900), FLOOD_LINES_MAX);
    playing.moment("bob to ann: are you there?");
    say_to(playing, "bob", "ann", "are you there?");
    playing.await_heard(&["ann"], "are you there?");
    playing.moment("zoe begins to read");
    playing.read("zoe")?;
    playing.await_end("zoe");
    Ok(())
}

fn half_close(playing: &mut Playing) -> anyhow::Result<()> {
    playing.arrive("ann", None)?;
    playing.arrive("bob", None)?;
    playing.moment("bob to ann: that was all; and his side is closed");
    say_to(playing, "bob", "ann", "that was all");
    playing.half_close("bob");
    playing.await_heard(&hearers(playing, "ann"), "that was all");
    playing.await_end("bob");
    Ok(())
}

fn reset(playing: &mut Playing) -> anyhow::Result<()> {
    for name in ["ann", "bob", "cem"] {
        playing.arrive(name, None)?;
    }
    playing.moment("bob's connection is reset while ann speaks");
    for number in 1..=3 {
        say_to_all(playing, "ann", &format!("number {number}"));
        if number == 1 {
            playing.crash("bob");
        }
    }
    playing.await_heard(&hearers(playing, "cem"), "number 3");
    Ok(())
}

fn flood(playing: &mut Playing) -> anyhow::Result<()> {
    for name in ["ann", "bob", "cem"] {
        playing.arrive(name, None)?;
    }
    playing.moment(&format!("bob sends {CHATTER_LINES} lines without a pause"));
    playing.flood("bob", "cem", "and another thing", CHATTER_LINES);
    playing.moment("ann to cem: a word");
    say_to(playing, "ann", "cem", "a word");
    playing.await_heard(&hearers(playing, "cem"), "a word");
    Ok(())
}

fn silent(playing: &mut Playing) -> anyhow::Result<()> {
    playing.moment("zoe connects, and says nothing");
    playing.connect("zoe", None)?;
    playing.read("zoe")?;
    playing.arrive("ann", None)?;
    playing.arrive("bob", None)?;
    playing.moment("ann to bob: hello");
    say_to(playing, "ann", "bob", "hello");
    playing.await_heard(&hearers(playing, "bob"), "hello");
    Ok(())
}

fn pieces(playing: &mut Playing) -> anyhow::Result<()> {
    playing.arrive("ann", None)?;
    playing.arrive("bob", None)?;
    let line = addressed(playing, "bob", "caffè at one");
    playing.moment("ann's line comes in three pieces, one of them half a character");
    let bytes = format!("{line}\n").into_bytes();
    let cut = bytes.iter().position(|byte| *byte >= 0x80).unwrap_or(4) + 1;
    for piece in [&bytes[..3], &bytes[3..cut], &bytes[cut..]] {
        playing.send("ann", piece);
        playing.pause();
    }
    playing.await_heard(&hearers(playing, "bob"), "caffè at one");
    playing.moment("two of ann's lines come in one piece");
    let (one, two) = (addressed(playing, "bob", "one"), addressed(playing, "bob", "two"));
    playing.send("ann", format!("{one}\n{two}\n").as_bytes());
    playing.await_heard(&hearers(playing, "bob"), "two");
    Ok(())
}

/// In the stages 1 and 2 whoever speaks is heard at the server, and nobody else hears anything.
fn hearers<'a>(playing: &Playing, who: &'a str) -> Vec<&'a str> {
    if playing.protocol <= 2 { vec!["the server"] } else { vec![who] }
}

fn addressed(playing: &Playing, to: &str, text: &str) -> String {
    if playing.protocol == 3 { format!("@{to}:{text}") } else { text.to_string() }
}

fn say_to(playing: &mut Playing, from: &str, to: &str, text: &str) {
    let line = addressed(playing, to, text);
    playing.say(from, &line);
}

fn say_to_all(playing: &mut Playing, from: &str, text: &str) {
    playing.to_all(from, text).iter().for_each(|line| playing.say(from, line));
}

/// Answers the server's question without looking at what it says.
fn arrive_without_reading(
    playing: &mut Playing,
    name: &str,
    receive_buffer: Option<usize>,
) -> anyhow::Result<()> {
    playing.moment(&format!("{name} comes, and does not read"));
    playing.connect(name, receive_buffer)?;
    let answer = if playing.protocol == 3 { format!("#{name}") } else { name.to_string() };
    if playing.protocol >= 3 {
        playing.say(name, &answer);
        playing.pause();
    }
    Ok(())
}
