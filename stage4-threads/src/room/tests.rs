//! What the room decides, line by line.

use super::*;
use crate::command::parse;
use crate::effects::Effect;

const ALICE: ClientId = ClientId(0);
const BOB: ClientId = ClientId(1);
const CAROL: ClientId = ClientId(2);

/// Alice, Bob and Carol have connected, the first ones have a name.
fn room_of(names: &[&str]) -> Room {
    let mut room = Room::default();
    for client in [ALICE, BOB, CAROL] {
        let address = SocketAddr::from(([127, 0, 0, 1], 40000 + client.0 as u16));
        room.arrive(client, address, &mut Effects::default());
    }
    for (client, name) in [ALICE, BOB, CAROL].into_iter().zip(names) {
        say(&mut room, client, name);
    }
    room
}

fn say(room: &mut Room, client: ClientId, line: &str) -> Vec<String> {
    told(|effects| room.apply(client, Ok(parse(line)), effects))
}

fn leave(room: &mut Room, client: ClientId) -> Vec<String> {
    told(|effects| room.leave(client, effects))
}

/// What has to be done, one line each: `0< line` for who receives it, `> line` for the console.
fn told(decide: impl FnOnce(&mut Effects)) -> Vec<String> {
    let mut effects = Effects::default();
    decide(&mut effects);
    let queue: Vec<Effect> = std::iter::from_fn(|| effects.next()).collect();
    let text = |line| effects.text(line).trim_end();
    let told = queue.into_iter().map(|effect| match effect {
        Effect::Send { to, line } => format!("{}< {}", to.0, text(line)),
        Effect::Show { line } => format!("> {}", text(line)),
        Effect::Close { client, last: None } => format!("{} closed", client.0),
        Effect::Close { client, last: Some(line) } => {
            format!("{} closed with {}", client.0, text(line))
        }
    });
    told.collect()
}

/// Carol is told why, asked again, and has no name.
#[track_caller]
fn check_refused(room: &mut Room, line: Result<Command, LineError>) {
    let told = told(|effects| room.apply(CAROL, line, effects));
    assert!(told.len() == 2 && told[0].starts_with("2< ! "), "{line:?} gave {told:?}");
    assert_eq!(told[1], "2< NICK");
    assert_eq!(room.standing(CAROL), Standing::Nameless);
}

#[test]
fn who_connects_is_asked_for_a_name() {
    let address = SocketAddr::from(([127, 0, 0, 1], 40000));
    let told = told(|effects| Room::default().arrive(ALICE, address, effects));
    assert_eq!(told, ["> 127.0.0.1:40000 connected", "0< NICK"]);
}

#[test]
fn the_first_line_is_the_name() {
    let mut room = room_of(&["alice"]);
    assert_eq!(
        say(&mut room, BOB, "bob"),
        ["> * bob joined", "0< * bob joined", "1< * welcome bob: 2 here (alice, bob)"]
    );
    assert_eq!(room.standing(BOB), Standing::Member);
}

#[test]
fn every_other_line_is_text_for_the_others() {
    let mut room = room_of(&["alice", "bob"]);
    for line in ["hello", "NICK", "alice: hello", "* bob left"] {
        assert_eq!(
            say(&mut room, ALICE, line),
            [format!("1< alice: {line}"), format!("> [127.0.0.1]:40000 => {line}")]
        );
    }
}

#[test]
fn a_bad_name_is_refused_and_asked_for_again() {
    let mut room = room_of(&[]);
    for name in ["1a", "_a", "a b", "a:b", "al\u{ee}ce", "a\u{fffd}", "abcdefghijklmnopqrstu"] {
        check_refused(&mut room, Ok(parse(name)));
    }
    say(&mut room, CAROL, "a-2_abcdefghijklmnop");
    assert_eq!(room.standing(CAROL), Standing::Member);
}

#[test]
fn a_line_without_text_is_no_name_either() {
    check_refused(&mut room_of(&[]), Err(LineError::TooLong(2048)));
    check_refused(&mut room_of(&[]), Err(LineError::NotUtf8));
}

#[test]
fn a_name_is_taken_in_upper_and_lower_case() {
    check_refused(&mut room_of(&["Alice"]), Ok(parse("aLICE")));
}

#[test]
fn a_name_is_free_again_when_its_client_has_left() {
    let mut room = room_of(&["Alice", "bob"]);
    assert_eq!(leave(&mut room, ALICE), ["> * Alice left", "1< * Alice left"]);
    say(&mut room, CAROL, "alice");
    assert_eq!(room.standing(CAROL), Standing::Member);
}

#[test]
fn nobody_leaves_twice_and_the_nameless_leave_in_silence() {
    let mut room = room_of(&["alice", "bob"]);
    leave(&mut room, ALICE);
    assert!(leave(&mut room, ALICE).is_empty());
    assert!(leave(&mut room, CAROL).is_empty());
}

#[test]
fn a_member_hears_why_its_line_was_refused_and_stays() {
    let mut room = room_of(&["alice"]);
    let told = told(|effects| room.apply(ALICE, Err(LineError::NotUtf8), effects));
    assert_eq!(told, ["0< ! not UTF-8"]);
    assert_eq!(room.standing(ALICE), Standing::Member);
}

#[test]
fn exit_ends_the_connection_with_and_without_a_name() {
    let mut room = room_of(&["alice", "bob"]);
    assert_eq!(say(&mut room, ALICE, "exit"), ["> * alice left", "1< * alice left", "0 closed"]);
    assert_eq!(say(&mut room, CAROL, "exit"), ["2 closed"]);
    assert!(say(&mut room, ALICE, "a line behind exit").is_empty());
}

#[test]
fn a_browser_is_sent_away_and_a_member_may_talk_about_its_requests() {
    let mut room = room_of(&["alice", "bob"]);
    let told = say(&mut room, CAROL, "GET / HTTP/1.1");
    assert!(told.len() == 1 && told[0].starts_with("2 closed with ! "), "{told:?}");
    assert!(say(&mut room, CAROL, "mallory").is_empty());
    assert_eq!(say(&mut room, ALICE, "GET / HTTP/1.1")[0], "1< alice: GET / HTTP/1.1");
}

#[test]
fn who_is_sent_away_hears_why_and_the_others_hear_that_it_left_once() {
    let mut room = room_of(&["alice", "bob"]);
    let evict = |room: &mut Room, client, why| told(|effects| room.evict(client, why, effects));
    assert_eq!(
        evict(&mut room, ALICE, Eviction::ReadsTooSlowly),
        [
            "> alice reads too slowly: closed",
            "> * alice left",
            "1< * alice left",
            "0 closed with ! you read too slowly"
        ]
    );
    assert!(evict(&mut room, ALICE, Eviction::ReadsTooSlowly).is_empty());
    assert_eq!(
        evict(&mut room, CAROL, Eviction::NoNameInTime),
        [
            "> 127.0.0.1:40002 gave no name in time: closed",
            "2 closed with ! you gave no name in time"
        ]
    );
}

#[test]
fn the_welcome_fits_in_one_line_and_counts_those_it_does_not_name() {
    let mut room = Room::default();
    for number in 0..2000 {
        let (client, address) = (ClientId(number), SocketAddr::from(([127, 0, 0, 1], 40000)));
        room.arrive(client, address, &mut Effects::default());
        let told = say(&mut room, client, &format!("member{number}"));
        let line = told.last().unwrap().strip_prefix(&format!("{number}< ")).unwrap();
        assert!(line.len() < SERVER_LINE_BYTES_MAX, "{} bytes", line.len());
        let named = line.matches("member").count() - 1; // the newcomer is named twice
        let more = line
            .rsplit_once(", and ")
            .map_or(0, |(_, tail)| tail.trim_end_matches(" more)").parse().unwrap());
        assert_eq!(named + more, number + 1, "{line}");
    }
}
