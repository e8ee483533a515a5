//! Who has which name. The state of the chat, and all its decisions; no sockets, no clock, no
//! output: what has to happen comes back as an `Effect`.

use crate::command::{Command, quote};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};

/// Bytes of the longest name (rule L8).
const NAME_BYTES_MAX: usize = 20;

/// One connection: its place in the table of clients. The place of a client that has left is
/// given to a newcomer, so whoever forgets a connection forgets its name too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientId(pub usize);

/// What has to happen because of one command. Borrowed from the line and from the users, so that
/// passing a text on copies it once, into the outbox of its receiver.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect<'a> {
    /// `to` hears `SENDER: TEXT`.
    Relay { to: ClientId, sender: &'a str, text: &'a str },
    /// `to` hears `Your user detail saved as: NAME`, the console `User NAME added.`.
    Saved { to: ClientId, name: &'a str },
    /// `to` hears `! WHY`.
    Refuse { to: ClientId, why: String },
    /// The connection ends in order (rule L11).
    End { client: ClientId },
}

/// Two maps that say the same, one in each direction. They are changed together, here and
/// nowhere else: two lists that are kept in step by hand drift apart.
#[derive(Default)]
pub struct Users {
    clients: HashMap<NameKey, ClientId>,
    /// Indexed by `ClientId`; names as they were given. `None`: not registered.
    names: Vec<Option<String>>,
}

impl Users {
    // ANCHOR: apply
    pub fn apply<'a>(&'a mut self, from: ClientId, command: Command<'a>) -> Effect<'a> {
        match command {
            Command::Register { name } => self.register(from, name),
            Command::Send { user, text } => self.send(from, user, text),
            Command::Exit => Effect::End { client: from },
        }
    }
    // ANCHOR_END: apply

    /// The client is gone; its name is free.
    pub fn leave(&mut self, client: ClientId) {
        let name = self.names.get_mut(client.0).and_then(Option::take);
        if let Some(key) = name.as_deref().and_then(NameKey::of) {
            self.clients.remove(&key);
        }
    }

    pub fn name(&self, client: ClientId) -> Option<&str> {
        self.names.get(client.0)?.as_deref()
    }

    // ANCHOR: register
    /// Also renames: the old name is free at once (rule S3.2).
    fn register<'a>(&mut self, from: ClientId, name: &'a str) -> Effect<'a> {
        let Some(key) = NameKey::of(name).filter(|_| is_good_name(name)) else {
            let why = format!(
                "bad name: {}; a name is 1 to {NAME_BYTES_MAX} letters, digits, _ and -, and begins with a letter",
                quote(name)
            );
            return Effect::Refuse { to: from, why };
        };
        if self.clients.get(&key).is_some_and(|owner| *owner != from) {
            return Effect::Refuse { to: from, why: format!("name taken: {name}") };
        }
        self.leave(from);
        self.clients.insert(key, from);
        if self.names.len() <= from.0 {
            self.names.resize(from.0 + 1, None);
        }
        self.names[from.0] = Some(name.to_string());
        Effect::Saved { to: from, name }
    }
    // ANCHOR_END: register

    // ANCHOR: send
    fn send<'a>(&'a self, from: ClientId, user: &str, text: &'a str) -> Effect<'a> {
        let Some(sender) = self.name(from) else {
            let why = "you have no name yet: type #NAME first".to_string();
            return Effect::Refuse { to: from, why };
        };
        match NameKey::of(user).and_then(|key| self.clients.get(&key)) {
            Some(&to) => Effect::Relay { to, sender, text },
            None => Effect::Refuse { to: from, why: format!("no user named {}", quote(user)) },
        }
    }
    // ANCHOR_END: send
}

/// Rule L8. ASCII only: what looks like `ali` on the screen is `ali`.
fn is_good_name(name: &str) -> bool {
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(is_name_byte)
}

/// A name as it is compared: in lower case, with zeros up to the longest. Of a fixed size, so
/// that finding the receiver of a message allocates nothing.
#[derive(PartialEq, Eq)]
struct NameKey([u8; NAME_BYTES_MAX]);

impl NameKey {
    /// `None`: too long to be anybody's name.
    fn of(name: &str) -> Option<NameKey> {
        let mut key = [0; NAME_BYTES_MAX];
        key.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        key.make_ascii_lowercase();
        Some(NameKey(key))
    }
}

/// As `derive` would do it, without the length: it is the same for all, and hashing it takes a
/// third of the time.
impl Hash for NameKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;

    const ALI: ClientId = ClientId(0);
    const BOB: ClientId = ClientId(1);

    /// Each line with what it leads to: `1: TEXT` is heard by client 1.
    #[track_caller]
    fn check(script: &[(ClientId, &str, &str)]) {
        let mut users = Users::default();
        for (from, line, expected) in script {
            let command = command::parse(line).unwrap();
            assert_eq!(show(users.apply(*from, command)), *expected, "after {line}");
        }
    }

    fn show(effect: Effect) -> String {
        match effect {
            Effect::Relay { to, sender, text } => format!("{}: {sender}: {text}", to.0),
            Effect::Saved { to, name } => format!("{}: saved {name}", to.0),
            Effect::Refuse { to, why } => format!("{}: ! {why}", to.0),
            Effect::End { client } => format!("{} ends", client.0),
        }
    }

    #[test]
    fn a_message_carries_its_senders_name() {
        check(&[
            (ALI, "#ali", "0: saved ali"),
            (BOB, "#bob", "1: saved bob"),
            (ALI, "@bob:hi: you", "1: ali: hi: you"),
        ]);
    }

    #[test]
    fn names_are_found_in_any_case_and_shown_as_given() {
        check(&[
            (ALI, "#Ali", "0: saved Ali"),
            (BOB, "#bob", "1: saved bob"),
            (BOB, "@aLI:hi", "0: bob: hi"),
            (ALI, "@BOB:hi", "1: Ali: hi"),
        ]);
    }

    #[test]
    fn one_may_write_to_oneself() {
        check(&[(ALI, "#ali", "0: saved ali"), (ALI, "@ali:note", "0: ali: note")]);
    }

    #[test]
    fn who_has_no_name_may_not_send() {
        check(&[
            (ALI, "#ali", "0: saved ali"),
            (BOB, "@ali:hi", "1: ! you have no name yet: type #NAME first"),
        ]);
    }

    #[test]
    fn an_unknown_user_is_an_error_for_the_sender() {
        check(&[
            (ALI, "#ali", "0: saved ali"),
            (ALI, "@bob:hi", "0: ! no user named \"bob\""),
            (ALI, "@:hi", "0: ! no user named \"\""),
            (ALI, "@ali :hi", "0: ! no user named \"ali \""),
        ]);
    }

    #[test]
    fn a_renamed_user_is_no_longer_found_under_the_old_name() {
        check(&[
            (ALI, "#ali", "0: saved ali"),
            (BOB, "#bob", "1: saved bob"),
            (ALI, "#alice", "0: saved alice"),
            (BOB, "@ali:hi", "1: ! no user named \"ali\""),
            (BOB, "@alice:hi", "0: bob: hi"),
            (BOB, "#ali", "1: saved ali"),
        ]);
    }

    #[test]
    fn the_case_of_ones_own_name_may_change() {
        check(&[
            (ALI, "#ali", "0: saved ali"),
            (ALI, "#ALI", "0: saved ALI"),
            (ALI, "@ali:me", "0: ALI: me"),
        ]);
    }

    #[test]
    fn a_taken_name_is_refused_in_any_case_and_changes_nothing() {
        check(&[
            (ALI, "#ali", "0: saved ali"),
            (BOB, "#bob", "1: saved bob"),
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
        for bad in ["", "1a", "-a", "a b", "a:b", "\u{e9}a", "a\u{301}", &too_long] {
            let mut users = Users::default();
            let effect = users.apply(ALI, Command::Register { name: bad });
            assert!(show(effect).starts_with("0: ! bad name: "), "{bad}");
        }
    }

    #[test]
    fn who_leaves_frees_the_name_and_the_place() {
        let mut users = Users::default();
        users.apply(ALI, Command::Register { name: "ali" });
        users.leave(ALI);
        users.leave(ALI);
        let effect = users.apply(BOB, Command::Register { name: "ALI" });
        assert_eq!(show(effect), "1: saved ALI");
        assert_eq!(users.name(ALI), None);
    }
}
