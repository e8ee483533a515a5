//! Marks: lines of the lab's own, after which whatever a step has caused is on the screens.
//!
//! Whoever has spoken types a mark. Lines of one sender arrive in order (rule L12), so who sees
//! the mark has seen all that came before it. Then a witness who has seen it types one: what the
//! step has caused on the speaker's own screen, where nothing may be, comes before that.

use super::promise::Design;
use crate::conversation::MARK;

impl Design {
    /// Who types a mark, one round after the other.
    pub fn mark_rounds(&self, speakers: &[&str]) -> Vec<Vec<String>> {
        if let Some(console) = &self.at_the_server {
            let ends = self.served().into_iter().flat_map(|served| [served, console]);
            return ends.map(|end| vec![end.clone()]).collect();
        }
        let is_speaker = |name: &&String| speakers.contains(&name.as_str());
        let speakers: Vec<String> = self.clients.iter().filter(is_speaker).cloned().collect();
        let witnesses = self.clients.iter().filter(|name| speakers.len() != 1 || !is_speaker(name));
        let witnesses: Vec<_> = witnesses.take(2).map(|name| vec![name.clone()]).collect();
        let witnesses_needed = if speakers.len() == 1 { 1 } else { 2 }; // the first may be a speaker
        let rounds = [speakers].into_iter().chain(witnesses.into_iter().take(witnesses_needed));
        rounds.collect()
    }

    /// What `speaker` types to mark, and who sees it.
    pub fn mark_lines(&self, speaker: &str) -> Vec<(String, Vec<String>)> {
        let all = self.clients.iter();
        if self.stage == 3 {
            let to_one = |name: &String| (format!("@{name}:{MARK}"), vec![name.clone()]);
            return all.map(to_one).collect();
        }
        let hearers: Vec<String> = match &self.at_the_server {
            Some(console) if console != speaker => vec![console.clone()],
            Some(_) if self.stage == 1 => return Vec::new(), // nothing goes that way
            Some(_) => self.served().into_iter().cloned().collect(),
            None => all.filter(|name| *name != speaker).cloned().collect(),
        };
        vec![(MARK.to_string(), hearers)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Conversation;

    fn three(stage: u8) -> Design {
        let text = "people: ann, bob, cem\nann to bob: hi";
        let (mut design, arriving) = Design::new(stage, &Conversation::parse(text).unwrap());
        design.clients = arriving.into();
        design
    }

    #[test]
    fn a_witness_marks_after_the_speaker() {
        for stage in [3, 4, 5] {
            assert_eq!(three(stage).mark_rounds(&["ann"]), [["ann"], ["bob"]]);
            assert_eq!(three(stage).mark_rounds(&["bob"]), [["bob"], ["ann"]]);
        }
    }

    #[test]
    fn where_several_speak_or_nobody_two_witnesses_watch_each_other() {
        let rounds = three(4).mark_rounds(&["ann", "cem"]);
        assert_eq!(rounds, [vec!["ann", "cem"], vec!["ann"], vec!["bob"]]);
        let rounds = three(4).mark_rounds(&["dora"]);
        assert_eq!(rounds, [vec![], vec!["ann"], vec!["bob"]]);
    }

    #[test]
    fn in_the_stages_1_and_2_the_two_ends_mark() {
        assert_eq!(three(2).mark_rounds(&["cem"]), [["ann"], ["bob"]]);
        assert_eq!(three(1).mark_lines("bob"), []);
        assert_eq!(three(1).mark_lines("ann"), [("~~".to_string(), vec!["bob".to_string()])]);
    }

    #[test]
    fn in_stage_3_a_mark_is_a_line_for_each_person() {
        let lines: Vec<String> =
            three(3).mark_lines("ann").into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, ["@ann:~~", "@bob:~~", "@cem:~~"]);
    }
}
