//! Who is in the conversation, and what a line means in it (rules S4.1 to S4.5). Pure: the room
//! decides, and returns what has to be done about it as effects.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;

use crate::line::{LineError, SERVER_LINE_BYTES_MAX};

/// Characters of the longest name (rule L8).
const NAME_CHARS_MAX: usize = 20;

/// What a client hears until it has a name (rule S4.1).
pub const QUESTION: &str = "NICK";

/// One connection. Numbers are given in the order of connecting and never twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// What has to be done because a client said something or went away. Lines have no LF yet.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// The client that caused this receives a line.
    Answer(String),
    /// All other members receive a line.
    TellOthers(String),
    /// The client is a member from here on: it receives what others say.
    Enter,
    /// The client is no member any more.
    Leave,
    /// The console shows what the client said to all.
    Spoken(String),
    /// The console shows a line.
    Show(String),
    /// The client has said `exit`.
    HangUp,
}

#[derive(Debug, Default)]
pub struct Room {
    /// The clients of document 003 send `alice: hello` themselves (rule F2).
    names_are_repeated: bool,
    members: BTreeMap<ClientId, String>,
    /// The same members by name in lower case, because `Bob` and `bob` are one name (rule L8).
    by_name: HashMap<String, ClientId>,
}

impl Room {
    pub fn new(names_are_repeated: bool) -> Room {
        Room { names_are_repeated, ..Room::default() }
    }

    /// What a line means depends on who says it: the first good line of a client is its name.
    pub fn apply(&mut self, from: ClientId, line: Result<&str, LineError>) -> Vec<Effect> {
        match (line, self.members.get(&from)) {
            (Ok("exit"), _) => vec![Effect::HangUp],
            (Ok(text), Some(name)) => self.say(name, text),
            (Err(error), Some(_)) => vec![refusal(error)],
            (Ok(name), None) => self.enter(from, name),
            (Err(error), None) => ask_again(error),
        }
    }

    /// The connection has ended, in whichever way. Who never gave a name leaves in silence.
    pub fn leave(&mut self, client: ClientId) -> Vec<Effect> {
        let Some(name) = self.members.remove(&client) else {
            return Vec::new();
        };
        self.by_name.remove(&name.to_ascii_lowercase());
        announce(Effect::Leave, format!("* {name} left"))
    }

    fn enter(&mut self, client: ClientId, name: &str) -> Vec<Effect> {
        if !is_name(name) {
            let rule = "1 to 20 letters, digits, _ and -, the first one a letter";
            return ask_again(format_args!("bad name: it has {rule}"));
        }
        let lower = name.to_ascii_lowercase();
        if self.by_name.contains_key(&lower) {
            return ask_again(format_args!("name taken: {name}"));
        }
        self.by_name.insert(lower, client);
        self.members.insert(client, name.to_string());
        let mut effects = announce(Effect::Enter, format!("* {name} joined"));
        effects.push(Effect::Answer(self.welcome(name)));
        effects
    }

    fn say(&self, name: &str, text: &str) -> Vec<Effect> {
        let own_name = text.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
        let text = match own_name {
            Some(rest) if self.names_are_repeated => rest,
            _ => text,
        };
        vec![Effect::TellOthers(format!("{name}: {text}")), Effect::Spoken(text.to_string())]
    }

    /// Names everyone, as far as one line can hold them (rules S4.3 and L3).
    fn welcome(&self, newcomer: &str) -> String {
        let count = self.members.len();
        let mut line = format!("* welcome {newcomer}: {count} here (");
        let mut cut = Cut { bytes: line.len(), unnamed: count };
        for (index, name) in self.members.values().enumerate() {
            line += if index == 0 { "" } else { ", " };
            line += name;
            if line.len() + ")\n".len() > SERVER_LINE_BYTES_MAX {
                line.truncate(cut.bytes);
                return format!("{line}, and {} more)", cut.unnamed);
            }
            if line.len() + CUT_BYTES_MAX <= SERVER_LINE_BYTES_MAX {
                cut = Cut { bytes: line.len(), unnamed: count - index - 1 };
            }
        }
        line + ")"
    }
}

/// Bytes that must stay free behind a name after which the list of names can be cut.
const CUT_BYTES_MAX: usize = ", and 18446744073709551615 more)\n".len();

/// The last place where the list of names can be cut.
struct Cut {
    bytes: usize,
    unnamed: usize,
}

/// Others and the console learn of a coming or going.
fn announce(change: Effect, notice: String) -> Vec<Effect> {
    vec![change, Effect::Show(notice.clone()), Effect::TellOthers(notice)]
}

fn refusal(error: impl Display) -> Effect {
    Effect::Answer(format!("! {error}"))
}

fn ask_again(error: impl Display) -> Vec<Effect> {
    vec![refusal(error), Effect::Answer(QUESTION.to_string())]
}

fn is_name(name: &str) -> bool {
    let may_stand = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(may_stand)
        && name.len() <= NAME_CHARS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: ClientId = ClientId(1);
    const BOB: ClientId = ClientId(2);
    const CAROL: ClientId = ClientId(3);

    fn room_of(members: &[(ClientId, &str)]) -> Room {
        let mut room = Room::default();
        for (client, name) in members {
            room.apply(*client, Ok(name));
        }
        room
    }

    fn answer(line: &str) -> Effect {
        Effect::Answer(line.to_string())
    }

    fn tell_others(line: &str) -> Effect {
        Effect::TellOthers(line.to_string())
    }

    fn show(line: &str) -> Effect {
        Effect::Show(line.to_string())
    }

    fn spoken(text: &str) -> Effect {
        Effect::Spoken(text.to_string())
    }

    /// The refused client is told why, asked again, and is no member.
    #[track_caller]
    fn check_refused(room: &mut Room, line: Result<&str, LineError>) {
        let effects = room.apply(CAROL, line);
        assert!(
            matches!(&effects[..], [Effect::Answer(error), Effect::Answer(question)]
                if error.starts_with("! ") && question == "NICK"),
            "{line:?} gave {effects:?}"
        );
        assert!(!room.members.contains_key(&CAROL));
    }

    #[test]
    fn the_first_line_is_the_name() {
        let mut room = room_of(&[(ALICE, "alice")]);
        let effects = room.apply(BOB, Ok("bob"));
        let welcome = answer("* welcome bob: 2 here (alice, bob)");
        let joined = "* bob joined";
        assert_eq!(effects, [Effect::Enter, show(joined), tell_others(joined), welcome]);
    }

    #[test]
    fn every_other_line_is_text_for_the_others() {
        let mut room = room_of(&[(ALICE, "alice")]);
        let effects = room.apply(ALICE, Ok("NICK"));
        assert_eq!(effects, [tell_others("alice: NICK"), spoken("NICK")]);
    }

    #[test]
    fn what_a_member_calls_itself_is_text_too() {
        let mut room = room_of(&[(ALICE, "alice")]);
        let effects = room.apply(ALICE, Ok("alice: hello"));
        assert_eq!(effects, [tell_others("alice: alice: hello"), spoken("alice: hello")]);
    }

    #[test]
    fn the_clients_of_document_003_say_their_own_name_and_it_is_not_repeated() {
        let mut room = room_of(&[(ALICE, "alice"), (BOB, "bob")]);
        room.names_are_repeated = true;
        for (said, heard) in [
            ("alice: hello", "hello"),
            ("bob: hello", "bob: hello"),
            ("alice:hello", "alice:hello"),
        ] {
            let effects = room.apply(ALICE, Ok(said));
            assert_eq!(effects, [tell_others(&format!("alice: {heard}")), spoken(heard)]);
        }
    }

    #[test]
    fn a_bad_name_is_refused_and_asked_for_again() {
        let mut room = room_of(&[]);
        for name in ["1a", "_a", "a b", "a:b", "al\u{ee}ce", "a\u{fffd}", "abcdefghijklmnopqrstu"] {
            check_refused(&mut room, Ok(name));
        }
        assert_eq!(room.apply(CAROL, Ok("a-2_abcdefghijklmnop"))[0], Effect::Enter);
    }

    #[test]
    fn a_line_without_text_is_no_name_either() {
        check_refused(&mut room_of(&[]), Err(LineError::TooLong(2048)));
        check_refused(&mut room_of(&[]), Err(LineError::NotUtf8));
    }

    #[test]
    fn a_name_is_taken_in_upper_and_lower_case() {
        check_refused(&mut room_of(&[(ALICE, "Alice")]), Ok("aLICE"));
    }

    #[test]
    fn a_name_is_free_again_when_its_client_has_left() {
        let mut room = room_of(&[(ALICE, "Alice")]);
        let left = "* Alice left";
        assert_eq!(room.leave(ALICE), [Effect::Leave, show(left), tell_others(left)]);
        assert_eq!(room.apply(BOB, Ok("alice"))[0], Effect::Enter);
    }

    #[test]
    fn nobody_leaves_twice() {
        let mut room = room_of(&[(ALICE, "alice")]);
        room.leave(ALICE);
        assert_eq!(room.leave(ALICE), []);
    }

    #[test]
    fn who_never_gave_a_name_leaves_in_silence() {
        assert_eq!(room_of(&[(ALICE, "alice")]).leave(BOB), []);
    }

    #[test]
    fn a_member_hears_why_its_line_was_refused_and_stays() {
        let mut room = room_of(&[(ALICE, "alice")]);
        let effects = room.apply(ALICE, Err(LineError::NotUtf8));
        assert_eq!(effects, [answer("! not UTF-8")]);
        assert!(room.members.contains_key(&ALICE));
    }

    #[test]
    fn exit_hangs_up_with_and_without_a_name() {
        let mut room = room_of(&[(ALICE, "alice")]);
        assert_eq!(room.apply(ALICE, Ok("exit")), [Effect::HangUp]);
        assert_eq!(room.apply(BOB, Ok("exit")), [Effect::HangUp]);
    }

    #[test]
    fn the_welcome_fits_in_one_line_and_counts_those_it_does_not_name() {
        let mut room = Room::default();
        for number in 0..2000 {
            let name = format!("member{number}");
            let effects = room.apply(ClientId(number), Ok(&name));
            let Some(Effect::Answer(line)) = effects.last() else {
                panic!("no welcome in {effects:?}");
            };
            assert!(line.len() < SERVER_LINE_BYTES_MAX, "{} bytes", line.len());
            let named = line.matches("member").count() - 1; // the newcomer is named twice
            let more = line
                .rsplit_once(", and ")
                .map_or(0, |(_, tail)| tail.trim_end_matches(" more)").parse().unwrap());
            assert_eq!(named as u64 + more, number + 1, "{line}");
        }
    }
}
