//! Layer: the meaning. Who has which name: the state of the chat, all its decisions, and all words that
//! a client hears. No sockets, no clock, no output: what has to be done is written into [`Effects`].

use std::collections::HashMap;
use std::fmt::Display;
use std::net::SocketAddr;

use crate::command::Command;
use crate::effects::{ClientId, Effects};
use crate::line::LineError;

/// Bytes of the longest name (rule L8).
const NAME_BYTES_MAX: usize = 20;

/// A name as names are compared: in lower case, with zeros behind it. As a `String` it would take
/// memory for each message, to find out who is meant: 7 to 12 % of what a message costs.
type Key = [u8; NAME_BYTES_MAX + 1];

/// Characters of a client's words that an answer repeats.
const QUOTED_CHARS_MAX: usize = 40;

/// Who has a name. Two maps that say the same, one in each direction. They are changed together, here
/// and nowhere else: two lists that are kept in step by hand drift apart.
#[derive(Debug, Default)]
pub struct Users {
    /// Who is meant by a name: `@ALI:hello` reaches ali (rule L8).
    clients: HashMap<Key, ClientId>,
    /// How each one wrote its own name, indexed by `ClientId`; `None`: not registered.
    names: Vec<Option<String>>,
    /// `@*:TEXT` is allowed (rule S3.5).
    broadcast: bool,
}

/// Why the server ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// It is owed too much, or has taken nothing for too long (rule L13).
    ReadsTooSlowly,
}

impl Users {
    pub fn new(broadcast: bool) -> Users {
        Users { broadcast, ..Users::default() }
    }

    /// Rule S3.1.
    pub fn arrive(&mut self, client: ClientId, address: SocketAddr, effects: &mut Effects) {
        effects.tell(client, format_args!("You are connected from: {address}"));
    }

    // ANCHOR: apply
    /// Obeys one line; or says what is wrong with one that the decoder has refused. Who has a name is no
    /// browser, and may write what looks like one.
    pub fn apply(
        &mut self,
        from: ClientId,
        command: Result<Command, LineError>,
        effects: &mut Effects,
    ) {
        match command {
            Ok(Command::Register { name }) => self.register(from, name, effects),
            Ok(Command::Send { user, text }) => self.send(from, user, text, effects),
            Ok(Command::NoColon { user }) => {
                let user = shorten(user);
                refuse(from, format_args!("no colon after @{user}: type @USER:TEXT"), effects);
            }
            Ok(Command::Exit) => {
                self.leave(from, effects);
                effects.close(from);
            }
            Ok(Command::WebRequest { .. }) if self.name(from).is_none() => {
                effects.close_with(from, "! this is a chat and no web server");
            }
            Ok(Command::WebRequest { line } | Command::Unknown { line }) => {
                let line = shorten(line);
                let why = format_args!(
                    "cannot understand \"{line}\": type #NAME to have a name, \
                     @USER:TEXT to write to somebody, exit to leave"
                );
                refuse(from, why, effects);
            }
            Err(error) => refuse(from, error, effects),
        }
    }
    // ANCHOR_END: apply

    pub fn evict(&mut self, client: ClientId, why: Eviction, effects: &mut Effects) {
        self.leave(client, effects);
        match why {
            Eviction::ReadsTooSlowly => effects.close_with(client, "! you read too slowly"),
        }
    }

    /// Its name is free (rule L9). In this stage nobody is told: others know only whom they write to.
    pub fn leave(&mut self, client: ClientId, _: &mut Effects) {
        if let Some(name) = self.names.get_mut(client.0).and_then(Option::take) {
            self.clients.remove(&key(&name));
        }
    }

    pub fn name(&self, client: ClientId) -> Option<&str> {
        self.names.get(client.0)?.as_deref()
    }

    // ANCHOR: register
    /// Also renames: the old name is free at once (rule S3.2).
    fn register(&mut self, from: ClientId, name: &str, effects: &mut Effects) {
        if !is_good_name(name) {
            let name = shorten(name);
            let why = format_args!(
                "bad name: \"{name}\"; a name is 1 to {NAME_BYTES_MAX} letters, \
                 digits, _ and -, and begins with a letter"
            );
            return refuse(from, why, effects);
        }
        let key = key(name);
        if self.clients.get(&key).is_some_and(|owner| *owner != from) {
            return refuse(from, format_args!("name taken: {name}"), effects);
        }
        self.leave(from, effects);
        self.clients.insert(key, from);
        self.names.resize(self.names.len().max(from.0 + 1), None);
        self.names[from.0] = Some(name.to_string());
        effects.show(format_args!("User {name} added."));
        effects.tell(from, format_args!("Your user detail saved as: {name}"));
    }
    // ANCHOR_END: register

    // ANCHOR: send
    /// The sender's name is put there by the server: nobody can write in another's name.
    fn send(&self, from: ClientId, user: &str, text: &str, effects: &mut Effects) {
        let Some(sender) = self.name(from) else {
            return refuse(from, "you have no name yet: type #NAME first", effects);
        };
        let receiver = self.clients.get(&key(user));
        if text.is_empty() {
            let user = shorten(user);
            refuse(from, format_args!("nothing to say to {user}: type @USER:TEXT"), effects);
        } else if let Some(&to) = receiver {
            effects.tell(to, format_args!("{sender}: {text}"));
        } else if user == "*" && self.broadcast {
            let others = self.clients.values().copied().filter(|client| *client != from);
            effects.tell_all(others, format_args!("{sender}: {text}"));
        } else {
            refuse(from, format_args!("no user named \"{}\"", shorten(user)), effects);
        }
    }
    // ANCHOR_END: send
}

fn refuse(client: ClientId, why: impl Display, effects: &mut Effects) {
    effects.tell(client, format_args!("! {why}"));
}

/// Of a longer name one byte more than a name may have is kept, and so it is nobody's.
fn key(name: &str) -> Key {
    let mut key = Key::default();
    for (byte, given) in key.iter_mut().zip(name.bytes()) {
        *byte = given.to_ascii_lowercase();
    }
    key
}

/// Rule L8. ASCII only: what looks like `ali` on the screen is `ali`.
fn is_good_name(name: &str) -> bool {
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(is_name_byte)
}

/// A line may have two thousand bytes, and nobody wants to read his own again.
fn shorten(words: &str) -> String {
    match words.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &words[..end]),
        None => words.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;
    use crate::effects::Effect;

    const ALI: ClientId = ClientId(0);
    const BOB: ClientId = ClientId(1);
    const CEM: ClientId = ClientId(2);

    /// Each line with what it leads to: `1: TEXT` is heard by client 1.
    #[track_caller]
    fn check(script: &[(ClientId, &str, &str)]) {
        check_with(Users::default(), script);
    }

    #[track_caller]
    fn check_with(mut users: Users, script: &[(ClientId, &str, &str)]) {
        for (from, line, expected) in script {
            assert_eq!(obey(&mut users, *from, line), *expected, "after {line}");
        }
    }

    fn obey(users: &mut Users, from: ClientId, line: &str) -> String {
        let mut effects = Effects::default();
        users.apply(from, Ok(command::parse(line)), &mut effects);
        show(effects)
    }

    fn show(mut effects: Effects) -> String {
        let mut shown = Vec::new();
        while let Some(effect) = effects.next() {
            shown.push(match effect {
                Effect::Send { to, line } => format!("{}: {}", to.0, effects.text(line).trim_end()),
                Effect::Close { client, last: None } => format!("{} ends", client.0),
                Effect::Close { client, last: Some(line) } => {
                    format!("{} ends after {}", client.0, effects.text(line).trim_end())
                }
                Effect::Show { .. } => continue,
            });
        }
        shown.sort();
        shown.join(", ")
    }

    const ALI_ADDED: (ClientId, &str, &str) = (ALI, "#ali", "0: Your user detail saved as: ali");
    const BOB_ADDED: (ClientId, &str, &str) = (BOB, "#bob", "1: Your user detail saved as: bob");
    const CEM_ADDED: (ClientId, &str, &str) = (CEM, "#cem", "2: Your user detail saved as: cem");

    #[test]
    fn a_message_carries_its_senders_name() {
        check(&[ALI_ADDED, BOB_ADDED, (ALI, "@bob:hi: you", "1: ali: hi: you")]);
    }

    #[test]
    fn names_are_found_in_any_case_and_shown_as_given() {
        check(&[
            (ALI, "#Ali", "0: Your user detail saved as: Ali"),
            BOB_ADDED,
            (BOB, "@aLI:hi", "0: bob: hi"),
            (ALI, "@BOB:hi", "1: Ali: hi"),
        ]);
    }

    #[test]
    fn one_may_write_to_oneself() {
        check(&[ALI_ADDED, (ALI, "@ali:note", "0: ali: note")]);
    }

    #[test]
    fn who_has_no_name_may_not_send() {
        let refused = "1: ! you have no name yet: type #NAME first";
        check(&[ALI_ADDED, (BOB, "@ali:hi", refused)]);
        check_with(Users::new(true), &[ALI_ADDED, (BOB, "@*:hi", refused)]);
    }

    #[test]
    fn an_unknown_user_is_an_error_for_the_sender() {
        check(&[
            ALI_ADDED,
            (ALI, "@bob:hi", "0: ! no user named \"bob\""),
            (ALI, "@:hi", "0: ! no user named \"\""),
            (ALI, "@ali :hi", "0: ! no user named \"ali \""),
            (ALI, "#a234567890b234567890", "0: Your user detail saved as: a234567890b234567890"),
            (ALI, "@a234567890b2345678901:hi", "0: ! no user named \"a234567890b2345678901\""),
        ]);
    }

    #[test]
    fn a_message_to_all_is_for_all_others_who_have_a_name_where_it_is_allowed() {
        let script = [ALI_ADDED, BOB_ADDED, CEM_ADDED];
        check_with(Users::new(true), &script);
        let mut users = Users::new(true);
        for (from, line, _) in [ALI_ADDED, BOB_ADDED, CEM_ADDED] {
            obey(&mut users, from, line);
        }
        assert_eq!(obey(&mut users, BOB, "@*: hi"), "0: bob: hi, 2: bob: hi");
        check(&[BOB_ADDED, (BOB, "@*:hi", "1: ! no user named \"*\"")]);
    }

    #[test]
    fn a_text_of_blanks_is_no_text() {
        check(&[ALI_ADDED, (ALI, "@ali: ", "0: ! nothing to say to ali: type @USER:TEXT")]);
    }

    #[test]
    fn a_renamed_user_is_no_longer_found_under_the_old_name() {
        check(&[
            ALI_ADDED,
            BOB_ADDED,
            (ALI, "#alice", "0: Your user detail saved as: alice"),
            (BOB, "@ali:hi", "1: ! no user named \"ali\""),
            (BOB, "@alice:hi", "0: bob: hi"),
            (BOB, "#ali", "1: Your user detail saved as: ali"),
        ]);
    }

    #[test]
    fn the_case_of_ones_own_name_may_change() {
        check(&[
            ALI_ADDED,
            (ALI, "#ALI", "0: Your user detail saved as: ALI"),
            (ALI, "@ali:me", "0: ALI: me"),
        ]);
    }

    #[test]
    fn a_taken_name_is_refused_in_any_case_and_changes_nothing() {
        check(&[
            ALI_ADDED,
            BOB_ADDED,
            (BOB, "#ALI", "1: ! name taken: ALI"),
            (BOB, "@ali:still bob", "0: bob: still bob"),
            (ALI, "@bob:still here", "1: ali: still here"),
        ]);
    }

    #[test]
    fn names_are_letters_digits_underscores_and_hyphens() {
        let longest = "a".repeat(NAME_BYTES_MAX);
        for good in ["a", "Z-9_", &longest] {
            assert!(is_good_name(good), "{good}");
        }
        let too_long = format!("{longest}a");
        for bad in ["", "1a", "-a", "a b", "a:b", "*", "\u{e9}a", "a\u{301}", &too_long] {
            let answer = obey(&mut Users::default(), ALI, &format!("#{bad}"));
            assert!(answer.starts_with("0: ! bad name: "), "{bad}");
        }
    }

    #[test]
    fn who_leaves_frees_the_name_and_the_place() {
        let mut users = Users::default();
        obey(&mut users, ALI, "#ali");
        users.leave(ALI, &mut Effects::default());
        users.leave(ALI, &mut Effects::default());
        assert_eq!(obey(&mut users, BOB, "#ALI"), "1: Your user detail saved as: ALI");
        assert_eq!(users.name(ALI), None);
    }

    #[test]
    fn who_says_exit_or_is_evicted_is_nobody_any_more() {
        check(&[
            ALI_ADDED,
            (ALI, "exit", "0 ends"),
            BOB_ADDED,
            (BOB, "@ali:hi", "1: ! no user named \"ali\""),
        ]);
        let mut users = Users::default();
        obey(&mut users, ALI, "#ali");
        let mut effects = Effects::default();
        users.evict(ALI, Eviction::ReadsTooSlowly, &mut effects);
        assert_eq!(show(effects), "0 ends after ! you read too slowly");
        assert_eq!(users.name(ALI), None);
    }

    #[test]
    fn a_browser_is_sent_away_and_a_user_may_quote_one() {
        let line = "GET / HTTP/1.1";
        check(&[(ALI, line, "0 ends after ! this is a chat and no web server"), BOB_ADDED]);
        let mut users = Users::default();
        obey(&mut users, ALI, "#ali");
        assert!(obey(&mut users, ALI, line).starts_with("0: ! cannot understand \"GET / HTTP"));
    }

    #[test]
    fn an_error_repeats_no_more_than_a_few_words() {
        let answer = obey(&mut Users::default(), ALI, &"\u{e9}".repeat(1000));
        assert!(answer.contains(&format!("{}...", "\u{e9}".repeat(QUOTED_CHARS_MAX))));
        assert!(answer.len() < 300);
    }
}
