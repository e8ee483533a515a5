//! The catalogue: what beginners' chat programs get wrong, so that it can be seen from outside.

/// One entry: its name, and what goes wrong, in a few words.
#[derive(Debug, Clone, Copy)]
pub struct Misconception {
    pub name: &'static str,
    pub what: &'static str,
}

pub fn by_name(name: &str) -> Option<&'static Misconception> {
    ALL.iter().find(|misconception| misconception.name == name)
}

const fn entry(name: &'static str, what: &'static str) -> Misconception {
    Misconception { name, what }
}

pub static ALL: &[Misconception] = &[
    entry("recv-is-not-a-message", "one recv is taken for one message"),
    entry("sends-without-boundaries", "lines leave without an LF"),
    entry("cut-at-the-buffer-size", "a line longer than the buffer is cut in two"),
    entry("unbounded-line", "memory grows with a line that never ends"),
    entry("half-message-delivered", "an unfinished line is delivered when its sender ends"),
    entry("newline-in-name", "CR or LF is kept in the name, which nobody can address then"),
    entry("not-utf8-kills", "one bad byte ends a thread, a connection or the server"),
    entry("relays-terminal-escapes", "escape sequences reach the terminals of others"),
    entry(
        "registers-the-wrong-socket",
        "the last one accepted is registered, not the one who spoke",
    ),
    entry(
        "name-taken-over",
        "a second user with the same name silently takes the mail of the first",
    ),
    entry("case-splits-names", "BOB does not reach bob"),
    entry("old-name-still-routes", "after a renaming the old name still receives"),
    entry("unaddressable-name", "names are accepted that nobody can write to"),
    entry("anonymous-delivery", "the receiver cannot tell who wrote"),
    entry("unregistered-may-send", "who has no name may send"),
    entry("sender-is-claimed", "the sender's name is taken from the message"),
    entry("control-words-in-band", "what a user types is taken for the server's word"),
    entry("silent-error", "a wrong line gets no answer"),
    entry("echo-to-sender", "the sender hears its own message"),
    entry(
        "ignores-eof",
        "a client that has ended its sending is never closed, or its answers are lost",
    ),
    entry("ghost-user", "a user who has left keeps the name"),
    entry("leave-not-announced", "others are not told, exactly once, that somebody has left"),
    entry("parallel-lists-drift", "the wrong user is said to have left"),
    entry("spins-after-departure", "a connection that has ended is read for ever"),
    entry(
        "busy-poll",
        "the server asks the kernel again and again whether there is anything to do",
    ),
    entry("leaks-descriptors", "the sockets of those who have left are never closed"),
    entry("fd-limit-is-fatal", "running out of descriptors ends the server or makes it spin"),
    entry("slow-reader-stalls-others", "a send to one who does not read stops everybody"),
    entry("unbounded-queue", "memory grows for a client that does not read"),
    entry("wrong-client-evicted", "an error while writing to one removes another"),
    entry("broadcast-stops-at-the-first-error", "clients behind a dead one miss the message"),
    entry("handshake-blocks-accept", "a silent newcomer keeps everybody else out"),
    entry("rude-client-kills-server", "a client that resets its connection ends the server"),
    entry("interleaved-writes", "two threads write into one socket: their lines mix"),
    entry("reorders-or-loses-under-load", "under load, lines are lost, doubled or out of order"),
    entry("backlog-is-a-user-limit", "the sixth client is refused"),
    entry("select-1024", "it fails beyond descriptor 1023"),
    entry("binds-every-address", "it listens on all addresses when told one"),
    entry("no-reuseaddr", "it cannot be started again for a minute"),
    entry("traceback-to-the-user", "an ordinary error shows a stack trace"),
    entry("lockstep-client", "the client shows what came only after its user has typed"),
    entry("stdin-buffer-under-select", "of three lines typed at once only the first is sent"),
    entry("spins-on-server-eof", "at the server's end the client prints for ever"),
    entry("spins-on-stdin-eof", "at the end of its input the client prints or sends for ever"),
    entry("leaks-across-rooms", "what is said in one room is heard in another"),
    entry("kicked-still-hears", "who was kicked still hears the room"),
    entry("ban-evaded", "who is banned gets in again"),
    entry("key-ignored", "a room with a key lets in who does not know it"),
    entry("role-not-checked", "somebody without the right may do it"),
    entry("room-outlives-itself", "an empty room keeps its settings or its operator"),
];
