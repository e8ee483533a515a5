//! The rules S5.1 to S5.9, without any network.

use super::commands::{Who, list};
use super::*;
use crate::command;
use crate::effects::Effect;
use crate::line::SERVER_LINE_BYTES_MAX;
use clap::Parser;
use std::net::{IpAddr, Ipv4Addr};

const ANN: ClientId = ClientId(0);
const BOB: ClientId = ClientId(1);
const CY: ClientId = ClientId(2);

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const AWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    limits: Limits,
}

/// Rooms, and what each client has heard since it was last asked.
struct Party {
    rooms: Rooms,
    effects: Effects,
    heard: Vec<Vec<String>>,
    closed: Vec<ClientId>,
    log: Vec<String>,
}

impl Party {
    fn with_flags(flags: &[&str]) -> Party {
        let flags = Flags::parse_from([&["server"], flags].concat());
        Party {
            rooms: Rooms::new(Rc::new(flags.limits), Some("open sesame".into())),
            effects: Effects::default(),
            heard: vec![Vec::new(); 100],
            closed: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Ann, Bob and Cy, all in `#lobby`, all from the same address.
    fn of_three() -> Party {
        let mut party = Party::with_flags(&[]);
        for (client, name) in [(ANN, "ann"), (BOB, "bob"), (CY, "cy")] {
            party.arrive(client, name, HOME);
        }
        party.forget();
        party
    }

    /// The three in `#r`, of which Ann is the operator.
    fn in_a_room() -> Party {
        let mut party = Party::of_three();
        for client in [ANN, BOB, CY] {
            party.say(client, "/join #r");
        }
        party.forget();
        party
    }

    fn arrive(&mut self, client: ClientId, name: &str, ip: IpAddr) {
        self.rooms.arrive(client, SocketAddr::new(ip, 9), &mut self.effects);
        self.note();
        self.say(client, name);
    }

    fn say(&mut self, client: ClientId, line: &str) {
        self.rooms.apply(client, Ok(command::parse(line)), &mut self.effects);
        self.note();
    }

    fn leave(&mut self, client: ClientId) {
        self.rooms.leave(client, &mut self.effects);
        self.note();
    }

    fn evict(&mut self, client: ClientId, why: Eviction) {
        self.rooms.evict(client, why, &mut self.effects);
        self.note();
    }

    fn note(&mut self) {
        while let Some(effect) = self.effects.next() {
            match effect {
                Effect::Send { to, line } => {
                    let text = self.effects.text(line);
                    assert!(!self.closed.contains(&to), "{to:?} heard {text:?}");
                    hear(&mut self.heard[to.0], text);
                }
                Effect::Close { client, last } => {
                    if let Some(last) = last {
                        hear(&mut self.heard[client.0], self.effects.text(last));
                    }
                    self.closed.push(client);
                }
                Effect::Show { line } => self.log.push(self.effects.text(line).trim_end().into()),
            }
        }
        self.effects.clear();
    }

    fn forget(&mut self) {
        self.heard.iter_mut().for_each(Vec::clear);
    }

    fn heard(&mut self, client: ClientId) -> Vec<String> {
        std::mem::take(&mut self.heard[client.0])
    }

    #[track_caller]
    fn expect(&mut self, client: ClientId, lines: &[&str]) {
        assert_eq!(self.heard(client), lines, "heard by {client:?}");
    }

    /// Refused, told so in one line, and nobody else has heard anything.
    #[track_caller]
    fn expect_refusal(&mut self, client: ClientId, line: &str) {
        self.forget();
        self.say(client, line);
        let heard = self.heard(client);
        assert!(heard.len() == 1 && heard[0].starts_with("! "), "{line}: {heard:?}");
        assert!(self.heard.iter().all(Vec::is_empty), "{line}: {:?}", self.heard);
    }
}

fn hear(heard: &mut Vec<String>, line: &str) {
    assert!(line.ends_with('\n') && line.len() <= SERVER_LINE_BYTES_MAX);
    heard.push(line.trim_end().to_string());
}

// S5.1

#[test]
fn a_newcomer_is_asked_for_a_name_and_welcomed_to_the_lobby() {
    let mut party = Party::with_flags(&[]);
    party.arrive(ANN, "ann", HOME);
    let welcome = "* welcome ann: you are in #lobby with 0 others; /help lists the commands";
    party.expect(ANN, &["NICK", welcome]);
    party.arrive(BOB, "bob", HOME);
    party.expect(ANN, &["[#lobby] * bob joined"]);
    let welcome = "* welcome bob: you are in #lobby with 1 others; /help lists the commands";
    party.expect(BOB, &["NICK", welcome]);
}

#[test]
fn a_refused_name_is_asked_for_again() {
    let mut party = Party::of_three();
    party.arrive(ClientId(3), "BOB", HOME);
    party.expect(ClientId(3), &["NICK", "! name taken: BOB", "NICK"]);
    for line in ["9", "/join #r", "@ann:hi", "#a"] {
        party.say(ClientId(3), line);
        let heard = party.heard(ClientId(3));
        assert!(heard[0].starts_with("! bad name") && heard[1] == "NICK", "{heard:?}");
    }
    party.rooms.apply(ClientId(3), Err(LineError::NotUtf8), &mut party.effects);
    party.note();
    party.expect(ClientId(3), &["! not UTF-8", "NICK"]);
}

#[test]
fn a_browser_is_sent_away_and_a_person_may_talk_about_http() {
    let mut party = Party::of_three();
    party.arrive(ClientId(3), "POST /chat HTTP/1.1", HOME);
    let heard = party.heard(ClientId(3));
    assert!(heard.len() == 2 && heard[1].starts_with("! "), "{heard:?}");
    assert_eq!(party.closed, [ClientId(3)]);
    party.say(ClientId(3), "ann");
    party.expect(ClientId(3), &[]);
    party.say(ANN, "GET / HTTP/1.1");
    party.expect(BOB, &["[#lobby] ann: GET / HTTP/1.1"]);
}

#[test]
fn who_has_no_name_hears_nothing_and_leaves_in_silence() {
    let mut party = Party::of_three();
    party.arrive(ClientId(3), "9", HOME);
    party.forget();
    party.say(ANN, "hello");
    party.expect(ClientId(3), &[]);
    party.forget();
    party.leave(ClientId(3));
    assert!(party.heard.iter().all(Vec::is_empty));
}

#[test]
fn who_is_banned_from_the_lobby_is_welcomed_to_no_room() {
    let mut party = Party::of_three();
    party.say(ANN, "/admin open sesame");
    party.say(ANN, "/ban dan");
    party.arrive(ClientId(3), "dan", HOME);
    let heard = party.heard(ClientId(3));
    assert_eq!(heard[1], "* welcome dan: you are in no room; /help lists the commands");
    assert!(heard[2].starts_with("! ") && heard.len() == 3, "{heard:?}");
    party.expect_refusal(ClientId(3), "hello");
}

#[test]
fn a_name_that_does_not_come_in_time_ends_the_connection() {
    let mut party = Party::with_flags(&["--seconds-to-register", "7"]);
    party.arrive(ANN, "9", HOME);
    party.forget();
    party.evict(ANN, Eviction::NoNameInTime);
    let heard = party.heard(ANN);
    assert!(heard[0].contains("--seconds-to-register") && heard.len() == 1, "{heard:?}");
    assert_eq!(party.closed, [ANN]);
}

#[test]
fn a_name_that_came_in_time_is_not_asked_about() {
    let mut party = Party::of_three();
    party.evict(ANN, Eviction::NoNameInTime);
    assert!(party.closed.is_empty());
}

// S5.2, S5.3

#[test]
fn a_line_goes_to_the_other_members_of_the_current_room() {
    let mut party = Party::in_a_room();
    party.say(CY, "/join #lobby");
    party.say(CY, "/leave #r");
    party.forget();
    party.say(ANN, "hello");
    party.expect(ANN, &[]);
    party.expect(BOB, &["[#r] ann: hello"]);
    party.expect(CY, &[]);
}

#[test]
fn two_slashes_and_me() {
    let mut party = Party::of_three();
    party.say(ANN, "//help");
    party.say(ANN, "/me waves");
    party.expect(BOB, &["[#lobby] ann: /help", "[#lobby] ann ~ waves"]);
}

#[test]
fn who_leaves_hears_it_as_the_last_line_of_the_room() {
    let mut party = Party::in_a_room();
    party.say(BOB, "/leave");
    party.expect(BOB, &["[#r] * bob left", "* you are in #lobby now"]);
    party.expect(ANN, &["[#r] * bob left"]);
    party.say(ANN, "hello");
    party.expect(BOB, &[]);
}

#[test]
fn who_quits_gives_a_reason_to_every_room() {
    let mut party = Party::in_a_room();
    party.say(BOB, "/quit lunch");
    party.expect(ANN, &["[#lobby] * bob left: lunch", "[#r] * bob left: lunch"]);
    party.expect(BOB, &["* goodbye bob"]);
    assert_eq!(party.closed, [BOB]);
}

#[test]
fn lines_after_the_end_are_ignored_and_the_name_is_free() {
    let mut party = Party::of_three();
    party.say(BOB, "exit");
    party.forget();
    party.say(BOB, "hello");
    party.leave(BOB);
    assert!(party.heard.iter().all(Vec::is_empty));
    party.arrive(ClientId(3), "Bob", HOME);
    assert!(party.heard(ClientId(3))[1].starts_with("* welcome Bob"));
}

// S5.5

#[test]
fn rooms_are_one_in_any_case_and_shown_as_the_founder_wrote_them() {
    let mut party = Party::of_three();
    party.say(ANN, "/join #Tea");
    party.say(BOB, "/JOIN #tEA");
    party.expect(ANN, &["* you are in #Tea with 0 others", "[#Tea] * bob joined"]);
    party.expect(BOB, &["* you are in #Tea with 1 others"]);
}

#[test]
fn the_room_joined_most_recently_becomes_the_current_one() {
    let mut party = Party::of_three();
    for line in ["/join #a", "/join #b", "/join #c", "/join #a"] {
        party.say(ANN, line); // returning to #a is not joining it
    }
    party.say(ANN, "/leave");
    assert_eq!(party.heard(ANN).last().unwrap(), "* you are in #c now");
    party.say(ANN, "/leave #b");
    party.say(ANN, "/leave");
    assert_eq!(party.heard(ANN).last().unwrap(), "* you are in #lobby now");
    party.say(ANN, "/leave");
    assert_eq!(party.heard(ANN).last().unwrap(), "* you are in no room now");
    party.expect_refusal(ANN, "hello");
}

#[test]
fn a_private_message_reaches_one_person_even_oneself() {
    let mut party = Party::of_three();
    party.say(ANN, "@BOB: psst");
    party.say(ANN, "/msg ann note to self");
    party.expect(BOB, &["[private] ann: psst"]);
    party.expect(ANN, &["[private] ann: note to self"]);
    party.expect(CY, &[]);
    party.expect_refusal(ANN, "@dan:hi");
}

#[test]
fn a_new_name_is_told_to_every_room_and_frees_the_old_one() {
    let mut party = Party::in_a_room();
    party.say(BOB, "/nick Rob");
    party.expect(ANN, &["[#lobby] * bob is now Rob", "[#r] * bob is now Rob"]);
    party.expect_refusal(ANN, "@bob:hi");
    party.say(ANN, "/nick bob");
    party.say(ANN, "@rob:hi");
    assert_eq!(party.heard(BOB).last().unwrap(), "[private] bob: hi");
}

#[test]
fn the_case_of_a_name_may_change_but_it_stays_one_name() {
    let mut party = Party::of_three();
    party.say(BOB, "/nick BOB");
    party.expect(ANN, &["[#lobby] * bob is now BOB"]);
    party.expect_refusal(ANN, "/nick Bob");
    party.expect_refusal(BOB, "/nick BOB");
}

#[test]
fn who_answers_outsiders_unless_the_room_has_a_key() {
    let mut party = Party::in_a_room();
    party.say(CY, "/leave #r");
    party.forget();
    party.say(CY, "/who #R");
    party.expect(CY, &["* in #r: ann (operator), bob"]);
    party.say(ANN, "/key secret");
    party.expect_refusal(CY, "/who #r");
    party.say(BOB, "/who #r");
    assert_eq!(party.heard(BOB).last().unwrap(), "* in #r: ann (operator), bob");
}

#[test]
fn a_long_list_is_cut_where_a_line_ends() {
    let names: Vec<_> = (0..1000).map(|n| format!("member-number-{n}")).collect();
    let line = list("* in #r:", names.into_iter());
    assert!(line.len() < SERVER_LINE_BYTES_MAX, "{}", line.len());
    let (shown, rest) = line.rsplit_once(", and ").unwrap();
    assert_eq!(rest, format!("{} more", 1000 - shown.split(", ").count()));
}

#[test]
fn every_command_explains_itself() {
    let mut party = Party::of_three();
    for row in party.rooms.rows() {
        party.say(ANN, &format!("/help {}", row.name));
        let heard = party.heard(ANN);
        assert!(heard[0].starts_with(&format!("* /{}", row.name)), "{heard:?}");
    }
}

// S5.6, S5.7

#[test]
fn every_command_of_operators_is_refused_to_others() {
    let mut party = Party::in_a_room();
    for row in party.rooms.rows().filter(|row| row.who == Who::Operators) {
        let argument = if row.arguments.starts_with('[') { "" } else { "cy" };
        let argument = if row.arguments.is_empty() { "" } else { argument };
        party.expect_refusal(BOB, format!("/{} {argument}", row.name).trim_end());
    }
    party.expect_refusal(BOB, "/topic mine");
}

#[test]
fn the_lobby_has_no_operator() {
    let mut party = Party::of_three();
    party.expect_refusal(ANN, "/kick bob");
    party.say(ANN, "/admin open sesame");
    party.expect_refusal(ANN, "/op bob");
}

#[test]
fn the_kicked_hear_why_and_then_nothing_more() {
    let mut party = Party::in_a_room();
    party.say(ANN, "/kick Bob too loud");
    let notice = "[#r] * bob was kicked by ann: too loud";
    party.expect(CY, &[notice]);
    party.expect(BOB, &[notice, "* you are in #lobby now"]);
    party.say(ANN, "hello");
    party.expect(BOB, &[]);
    party.say(BOB, "/join #r");
    party.expect(CY, &["[#r] ann: hello", "[#r] * bob joined"]);
}

#[test]
fn a_banned_name_is_put_out_and_kept_out_until_it_is_unbanned() {
    let mut party = Party::in_a_room();
    party.say(ANN, "/ban BOB");
    assert_eq!(party.heard(BOB)[0], "[#r] * bob was banned by ann");
    party.expect_refusal(BOB, "/join #r");
    party.expect_refusal(ANN, "/ban bob");
    party.say(ANN, "/unban bob");
    party.say(BOB, "/join #r");
    assert!(party.heard(BOB)[0].starts_with("* you are in #r"));
}

#[test]
fn a_banned_name_is_not_taken_inside_the_room() {
    let mut party = Party::in_a_room();
    party.say(ANN, "/ban dan");
    party.expect_refusal(BOB, "/nick Dan");
}

#[test]
fn a_ban_of_an_address_spares_the_one_who_says_it() {
    let mut party = Party::in_a_room();
    party.arrive(ClientId(3), "dan", AWAY);
    party.say(ClientId(3), "/join #r");
    party.forget();
    party.say(ANN, "/ban 127.0.0.1");
    party.say(ANN, "/who");
    assert_eq!(party.heard(ANN).last().unwrap(), "* in #r: ann (operator), dan");
    party.say(BOB, "/nick other");
    party.expect_refusal(BOB, "/join #r");
    party.say(ANN, "/bans");
    party.expect(ANN, &["* banned from #r: 127.0.0.1"]);
}

#[test]
fn the_words_of_the_muted_reach_nobody() {
    let mut party = Party::in_a_room();
    party.say(ANN, "/op bob");
    party.say(ANN, "/mute bob");
    for line in ["hello", "/me waves", "/topic my words"] {
        party.expect_refusal(BOB, line);
    }
    party.say(BOB, "/kick cy my words");
    party.say(BOB, "/quit my words");
    let heard = party.heard(ANN);
    assert!(heard.contains(&"[#r] * cy was kicked by bob".into()), "{heard:?}");
    assert!(heard.contains(&"[#r] * bob left".into()), "{heard:?}");
    assert!(heard.contains(&"[#lobby] * bob left: my words".into()), "{heard:?}");
}

#[test]
fn a_mute_holds_for_the_connection_and_no_longer() {
    let mut party = Party::in_a_room();
    party.say(ANN, "/mute bob");
    party.say(BOB, "/leave");
    party.say(BOB, "/nick Rob");
    party.say(BOB, "/join #r");
    party.expect_refusal(BOB, "hello");
    party.leave(BOB);
    party.closed.clear();
    party.arrive(BOB, "rob", HOME); // the same number, another connection
    party.say(BOB, "/join #r");
    party.forget();
    party.say(BOB, "hello");
    party.expect(ANN, &["[#r] rob: hello"]);
}

#[test]
fn the_longest_member_succeeds_the_last_operator() {
    let mut party = Party::in_a_room();
    party.leave(ANN);
    assert!(party.heard(CY).contains(&"[#r] * bob is now an operator".into()));
    party.say(BOB, "/deop bob");
    assert_eq!(party.heard(CY).last().unwrap(), "[#r] * cy is now an operator");
    party.say(BOB, "/leave");
    party.expect_refusal(CY, "/deop cy");
    party.say(CY, "/topic mine");
    party.expect(CY, &["[#r] * cy changed the topic: mine"]);
}

#[test]
fn an_empty_room_is_forgotten_with_all_its_settings() {
    let mut party = Party::in_a_room();
    for line in ["/ban cy", "/mute bob", "/topic old", "/limit 3", "/key k"] {
        party.say(ANN, line);
    }
    party.say(BOB, "/leave");
    party.say(ANN, "/leave");
    party.forget();
    party.say(CY, "/join #r");
    party.expect(CY, &["* you are in #r with 0 others"]);
    party.say(BOB, "/join #r");
    party.forget();
    party.say(BOB, "hello");
    party.expect(CY, &["[#r] bob: hello"]);
    party.expect_refusal(BOB, "/topic mine");
}

#[test]
fn a_key_and_a_limit_keep_others_out() {
    let mut party = Party::of_three();
    party.say(ANN, "/join #r");
    party.say(ANN, "/key secret");
    party.expect_refusal(BOB, "/join #r");
    party.expect_refusal(BOB, "/join #r Secret");
    party.say(ANN, "/limit 1");
    party.expect_refusal(BOB, "/join #r secret");
    party.say(ANN, "/limit 2");
    party.say(BOB, "/join #r secret");
    assert!(party.heard(ANN).contains(&"[#r] * bob joined".into()));
    assert!(!party.heard(BOB).iter().any(|line| line.contains("secret")));
}

// S5.8

#[test]
fn an_admin_decides_in_every_room() {
    let mut party = Party::in_a_room();
    party.say(BOB, "/ADMIN open sesame");
    party.forget();
    party.say(BOB, "/kick ann");
    assert_eq!(party.heard(ANN)[0], "[#r] * ann was kicked by bob");
    party.say(BOB, "/join #lobby");
    party.say(BOB, "/topic welcome");
    assert_eq!(party.heard(CY).last().unwrap(), "[#lobby] * bob changed the topic: welcome");
}

#[test]
fn a_wrong_password_is_logged_and_no_password_is_ever_shown() {
    let mut party = Party::of_three();
    party.log.clear();
    party.expect_refusal(ANN, "/admin open sesam");
    assert_eq!(party.log, ["ann (127.0.0.1:9) gave a wrong admin password"]);
    party.say(ANN, "/admin open sesame");
    let shown = [party.heard(ANN), party.log.clone()].concat().join("\n");
    assert!(!shown.contains("sesam"), "{shown}");
    party.say(ANN, "/kick bob");
    assert_eq!(party.heard[BOB.0][0], "[#lobby] * bob was kicked by ann");
}

// S5.9

/// The line is refused with an error that names the flag.
#[track_caller]
fn expect_limit(party: &mut Party, line: &str, flag: &str) {
    party.forget();
    party.say(ANN, line);
    let heard = party.heard(ANN);
    assert!(heard.len() == 1 && heard[0].starts_with("! "), "{heard:?}");
    assert!(heard[0].contains(flag), "{heard:?}");
}

#[test]
fn rooms_are_limited_and_the_lobby_counts_for_nothing() {
    let mut party = Party::with_flags(&["--max-rooms", "2"]);
    party.arrive(ANN, "ann", HOME);
    party.say(ANN, "/join #a");
    party.say(ANN, "/join #b");
    expect_limit(&mut party, "/join #c", "--max-rooms");
    party.say(ANN, "/leave #a");
    party.say(ANN, "/join #c");
    assert_eq!(party.heard(ANN).last().unwrap(), "* you are in #c with 0 others");
}

#[test]
fn a_client_is_in_a_limited_number_of_rooms() {
    let mut party = Party::with_flags(&["--rooms-per-client", "1"]);
    party.arrive(ANN, "ann", HOME);
    party.say(ANN, "/join #a");
    expect_limit(&mut party, "/join #b", "--rooms-per-client");
    party.say(ANN, "/leave #lobby");
    party.forget();
    party.say(ANN, "/join #lobby");
    party.expect(ANN, &["* you are in #lobby with 0 others"]);
}

#[test]
fn bans_and_topics_are_limited() {
    let mut party = Party::with_flags(&["--bans-per-room", "1", "--topic-bytes", "5"]);
    party.arrive(ANN, "ann", HOME);
    party.say(ANN, "/join #a");
    party.say(ANN, "/ban bob");
    expect_limit(&mut party, "/ban 192.0.2.1", "--bans-per-room");
    expect_limit(&mut party, "/topic 123456", "--topic-bytes");
    party.say(ANN, "/topic 12345");
    party.expect(ANN, &["[#a] * ann changed the topic: 12345"]);
}

// S5.10

#[test]
fn everyone_with_a_name_hears_that_the_server_ends() {
    let mut party = Party::of_three();
    party.arrive(ClientId(3), "9", HOME);
    party.forget();
    party.rooms.shut_down(&mut party.effects);
    party.note();
    for client in [ANN, BOB, CY] {
        party.expect(client, &["* the server is shutting down"]);
    }
    party.expect(ClientId(3), &[]);
}

// The rows

#[test]
fn names_of_commands_are_unique_and_in_lower_case() {
    let rows: Vec<_> = Party::of_three().rooms.rows().collect();
    for (place, row) in rows.iter().enumerate() {
        assert_eq!(row.name, row.name.to_ascii_lowercase());
        assert!(rows[..place].iter().all(|other| other.name != row.name), "{}", row.name);
    }
}

#[test]
fn wrong_arguments_are_answered_with_the_usage() {
    let mut party = Party::in_a_room();
    for (line, usage) in [
        ("/join", "! usage: /join #ROOM [KEY]"),
        ("/join #a b c", "! usage: /join #ROOM [KEY]"),
        ("/msg bob", "! usage: /msg NAME TEXT"),
        ("/rooms all", "! usage: /rooms"),
        ("/nick a b", "! usage: /nick NAME"),
        ("/kick", "! usage: /kick NAME [REASON]"),
        ("/me", "! usage: /me TEXT"),
    ] {
        party.say(ANN, line);
        party.expect(ANN, &[usage]);
    }
}

#[test]
fn an_unknown_command_is_answered_with_the_nearest_and_nothing_of_its_arguments() {
    let mut party = Party::of_three();
    for (line, named) in [("/amdin secret", "/admin"), ("/jion #a", "/join")] {
        party.say(ANN, line);
        let heard = party.heard(ANN).concat();
        assert!(heard.contains(line.split(' ').next().unwrap()), "{heard}");
        assert!(heard.contains(named) && !heard.contains("secret"), "{heard}");
    }
}

#[test]
fn without_a_password_there_is_no_admin() {
    let mut party = Party::of_three();
    party.rooms.password = None;
    party.say(ANN, "/admin secret");
    let heard = party.heard(ANN).concat();
    assert!(heard.starts_with("! unknown command /admin;") && !heard.contains("secret"), "{heard}");
}

#[test]
fn what_begins_with_a_hash_or_a_broken_address_is_refused() {
    let mut party = Party::of_three();
    for line in ["#ali", "@bob", "@bob:", "@:hi", "@bo b:hi", "@"] {
        party.expect_refusal(ANN, line);
    }
}

#[test]
fn wrong_secrets_are_counted_and_right_ones_are_not() {
    let mut party = Party::of_three();
    party.say(ANN, "/join #r");
    party.say(ANN, "/key k");
    for line in ["/admin open sesame", "/join #r k", "/join #open any", "/leave"] {
        party.say(BOB, line);
    }
    assert_eq!(party.rooms.wrong_secrets(), 0);
    party.say(CY, "/join #r j");
    party.say(CY, "/admin open");
    assert_eq!(party.rooms.wrong_secrets(), 2);
}

// Evictions

#[test]
fn who_is_put_out_hears_why_once_and_the_others_hear_of_it() {
    let mut party = Party::of_three();
    party.evict(BOB, Eviction::ReadsTooSlowly);
    party.evict(BOB, Eviction::NoAnswer);
    party.leave(BOB);
    party.expect(BOB, &["! you read too slowly"]);
    party.expect(ANN, &["[#lobby] * bob left: read too slowly"]);
    assert_eq!(party.closed, [BOB]);
}
