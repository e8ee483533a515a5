//! What can be broken, by name.

use std::str::FromStr;

/// Name, and what the program then does wrong. Most are named as in the catalogue of
/// misconceptions; where one misconception shows in several ways, further names say how.
pub static DEFECTS: &[(&str, &str)] = &[
    ("recv-is-not-a-message", "takes what one read returns for one message"),
    ("joined-lines-lost", "obeys only the first line of what one read returns"),
    ("rest-after-name-lost", "reads the name, and forgets what came in the same segment"),
    ("decodes-each-read", "makes text of what one read returns, whole characters or not"),
    ("sends-without-boundaries", "sends lines without their LF"),
    ("ends-lines-with-cr-lf", "ends its lines with CR LF"),
    ("cut-at-the-buffer-size", "ends a message after 2048 bytes, and begins the next one there"),
    ("one-byte-too-few", "refuses a line of 2048 bytes: counts its end twice"),
    ("unbounded-line", "keeps everything until the LF comes"),
    ("blanks-kept", "drops no blanks around a line"),
    ("joiners-replaced", "takes the joiners in emoji for control characters"),
    ("half-message-delivered", "delivers an unfinished line when its sender ends"),
    ("newline-in-name", "keeps the CR in a registered name"),
    ("not-utf8-kills", "a byte that is not UTF-8 ends the thread that reads"),
    ("relays-terminal-escapes", "relays, logs and prints control characters"),
    ("console-is-silent", "says nothing on its own console"),
    ("first-line-missing", "does not say where it listens"),
    ("greets-with-its-own-address", "tells newcomers the server's address"),
    ("registers-the-wrong-socket", "a name is given to whoever connected last"),
    ("name-taken-over", "a second user of a name gets the first one's mail"),
    ("check-then-insert", "looks whether a name is free, and takes it a moment later"),
    ("own-name-is-taken", "refuses to change the case of one's own name"),
    ("names-without-hyphens", "refuses names with a hyphen"),
    ("names-run-out", "has room for five hundred names"),
    ("asks-only-once", "does not ask again after a refused name"),
    ("case-splits-names", "takes bob and BOB for two users, #den and #DEN for two rooms"),
    ("old-name-still-routes", "a renaming leaves the old name in the table"),
    ("unaddressable-name", "accepts any name, an empty one too"),
    ("delivered-to-all", "sends everybody what is for one"),
    ("second-colon-cuts", "splits at every colon and takes the second part for the text"),
    ("empty-text-delivered", "delivers a message without a text"),
    ("lost-to-oneself", "does not deliver what one writes to oneself"),
    ("says-ok", "acknowledges every message that it delivers"),
    ("anonymous-delivery", "does not say who wrote"),
    ("unregistered-may-send", "lets clients without a name write"),
    ("sender-is-claimed", "believes a message that begins like `bob: `"),
    ("control-words-in-band", "relays `NICK` and `* ` lines as they are"),
    ("speaks-http", "takes a web page's request for lines of a chat"),
    ("silent-error", "does not answer what it refuses"),
    ("echo-to-sender", "sends messages back to their sender"),
    ("exit-is-a-message", "takes `exit` for a message"),
    ("ends-with-a-reset", "ends every connection with a reset"),
    ("ignores-eof", "does not close a half-closed connection"),
    ("drops-output-at-eof", "closes at the end of stream before it has sent what it owes"),
    ("ghost-user", "keeps the name of a user who has left"),
    ("ghost-after-reset", "keeps the name of a user whose connection was reset"),
    ("welcome-without-names", "welcomes without saying who is here"),
    ("endless-welcome", "names everybody in the welcome, however many there are"),
    ("joined-not-announced", "does not say who joined"),
    ("nameless-hear-everything", "sends messages to those who have no name yet"),
    ("nameless-leave-announced", "says that `None` has left"),
    ("leave-not-announced", "does not say who left"),
    ("reset-not-announced", "does not say who left by a reset"),
    ("leave-announced-twice", "says twice who left"),
    ("parallel-lists-drift", "looks names up by the position in another list"),
    ("spins-after-departure", "reads a finished connection for ever"),
    ("busy-poll", "asks without a pause whether something has happened"),
    ("leaks-descriptors", "never closes the socket of a user who has left"),
    ("fd-limit-is-fatal", "ends when no more connections can be accepted"),
    ("slow-reader-stalls-others", "writes to everybody in turn and waits for each"),
    ("a-buffer-for-each", "fills a buffer of half a MiB for each client"),
    ("unbounded-queue", "keeps everything for a client that does not read"),
    ("wrong-client-evicted", "an error while writing removes the client that spoke"),
    ("broadcast-stops-at-the-first-error", "an error while writing ends the round"),
    ("handshake-blocks-accept", "waits for the name before it accepts the next client"),
    ("rude-client-kills-server", "a reset before the name is an exception that ends it"),
    ("interleaved-writes", "threads write to a socket in pieces and without a lock"),
    ("loses-under-load", "drops the oldest of more than four waiting lines"),
    ("reorders-under-load", "puts a line before the one that waits, where more than four wait"),
    ("backlog-is-a-user-limit", "serves five clients and no more"),
    ("select-1024", "ends at descriptor 1024"),
    ("binds-every-address", "listens on every address of the machine"),
    ("no-reuseaddr", "cannot be started again at once"),
    ("traceback-to-the-user", "answers a port in use with a stack trace"),
    ("lockstep", "reads from the peer only after its own user typed a line"),
    ("takes-turns", "lets its own user speak only after the other side has spoken"),
    ("closes-both-directions", "at the end of its input closes the whole connection"),
    ("speaks-to-the-first", "sends what its user types to the first client for ever"),
    ("serves-only-one", "never serves a second connection"),
    ("two-slashes-unknown", "takes `//me` for an unknown command"),
    ("hash-is-said", "says a line that begins with # to the room"),
    ("unknown-command-said", "says an unknown command to the room"),
    ("commands-with-case", "knows commands in lower case alone"),
    ("help-names-nothing", "answers /help with a greeting"),
    ("reason-lost", "does not pass on why somebody quits"),
    ("who-lists-all", "answers /who with everybody"),
    ("hears-its-own-joined", "announces a newcomer to itself"),
    ("room-names-like-names", "wants names of rooms to begin with a letter"),
    ("any-room-name", "accepts any name of a room"),
    ("returning-changes-nothing", "a room that one is in already does not become the current one"),
    ("back-to-the-lobby", "who leaves a room speaks in the lobby next"),
    ("hears-the-current-room-alone", "members hear a room only while it is their current one"),
    ("leaks-across-rooms", "sends a room's messages to everybody"),
    ("private-is-public", "a private message reaches the whole room"),
    ("left-still-hears", "who leaves a room goes on receiving"),
    ("kicked-still-hears", "who is kicked goes on receiving"),
    ("kicked-may-speak", "who is kicked may still speak in the room"),
    ("ban-evaded", "a ban is a kick: the banned may come back"),
    ("key-ignored", "lets in whoever has no key or a wrong one"),
    ("limit-ignored", "lets more members in than the room's limit"),
    ("role-not-checked", "lets everybody do what operators may"),
    ("mute-ignored", "relays what a muted member says"),
    ("room-outlives-itself", "keeps the settings of a room that everybody has left"),
    ("operator-not-replaced", "a room whose operator leaves has none"),
    ("logs-commands", "logs every line, passwords too"),
    ("zero-is-zero", "a limit of 0 lets nothing through"),
    ("flood-is-dropped", "drops lines that come too fast"),
    ("waiting-lines-dropped", "drops lines that wait when their sender half-closes"),
    ("waiting-lines-survive", "obeys lines that wait although their sender has reset"),
    ("stdin-buffer-under-select", "reads one line for each time that stdin is ready"),
    ("spins-on-server-eof", "goes on reading after the server's end"),
    ("spins-on-stdin-eof", "goes on reading after the end of its input"),
    ("hangs-at-server-eof", "does not notice that the server has ended"),
];

/// At most one of [`DEFECTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defect(&'static str);

impl Defect {
    pub const NONE: Defect = Defect("none");

    /// Whether this is the program's defect.
    pub fn is(self, name: &str) -> bool {
        debug_assert!(DEFECTS.iter().any(|(known, _)| *known == name), "{name}");
        self.0 == name
    }
}

impl FromStr for Defect {
    type Err = String;

    fn from_str(name: &str) -> Result<Defect, String> {
        let mut names = DEFECTS.iter().map(|(known, _)| *known).chain(["none"]);
        let known = names.find(|known| *known == name);
        known.map(Defect).ok_or("there is no such defect: `zoo defects` lists them".to_string())
    }
}

pub fn print() -> anyhow::Result<()> {
    for (name, what) in DEFECTS {
        println!("{name:<36} {what}");
    }
    Ok(())
}
