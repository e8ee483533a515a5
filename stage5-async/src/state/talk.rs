//! Layer: the meaning. Saying something: to a room, or to one person.

use super::commands::{Outcome, Row, Who, row, word_and_text};
use super::*;

pub const ROWS: &[Row] = &[
    row(
        "msg",
        "NAME TEXT",
        "write to one person; @NAME:TEXT is the same",
        Who::Everyone,
        Rooms::message,
    ),
    row("me", "TEXT", "say what you are doing", Who::Everyone, Rooms::act),
];

impl Rooms {
    /// To the current room.
    pub fn say(&self, from: ClientId, text: &str, effects: &mut Effects) -> Outcome {
        let words = format_args!("{}: {text}", self.name(from));
        self.speak(from, words, effects)
    }

    fn act(&mut self, from: ClientId, text: &str, effects: &mut Effects) -> Outcome {
        if text.is_empty() {
            return Err(Refusal::Usage);
        }
        self.speak(from, format_args!("{} ~ {text}", self.name(from)), effects)
    }

    fn speak(&self, from: ClientId, words: impl Display, effects: &mut Effects) -> Outcome {
        let id = self.current(from)?;
        self.check_may_speak(from, &id)?;
        self.tell_room(&id, Some(from), words, effects);
        Ok(())
    }

    pub fn check_may_speak(&self, client: ClientId, id: &RoomId) -> Outcome {
        let room = self.room(id);
        match room.is_muted(client) {
            true => Err(format!("you are muted in {}", room.name()).into()),
            false => Ok(()),
        }
    }

    fn message(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let (name, text) = word_and_text(arguments)?;
        self.tell_privately(from, name, text, effects)
    }

    pub fn tell_privately(
        &self,
        from: ClientId,
        name: &str,
        text: &str,
        effects: &mut Effects,
    ) -> Outcome {
        let to = self.named(name)?;
        effects.tell(to, format_args!("[private] {}: {text}", self.name(from)));
        Ok(())
    }
}
