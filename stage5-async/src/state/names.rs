//! Layer: the meaning. What may be the name of a person or of a room (rules L8 and S5.4).

/// Characters of a person's name.
pub const NAME_MAX: usize = 20;

/// Characters of a room's name after its `#`.
pub const ROOM_NAME_MAX: usize = 30;

pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && is_word(text, NAME_MAX)
}

pub const BAD_NAME: &str =
    "bad name: it has 1 to 20 letters, digits, _ and -, and begins with a letter";

pub fn check_name(text: &str) -> Result<(), String> {
    if is_name(text) { Ok(()) } else { Err(BAD_NAME.to_string()) }
}

pub fn check_room_name(text: &str) -> Result<(), String> {
    if text.strip_prefix('#').is_some_and(|name| is_word(name, ROOM_NAME_MAX)) {
        return Ok(());
    }
    Err(format!("bad room name: it has # and 1 to {ROOM_NAME_MAX} letters, digits, _ and -"))
}

/// Names that differ only in case are the same name: this is what is compared.
pub fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// ASCII only: letters of other alphabets that look alike would be different names.
fn is_word(text: &str, max: usize) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=max).contains(&text.len()) && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_with_a_letter_and_has_at_most_20_characters() {
        for good in ["a", "Bob", "x-_9", "abcdefghijklmnopqrst"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "9a", "-a", "a b", "a:b", "#a", "abcdefghijklmnopqrstu", "zo\u{eb}"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_room_is_a_hash_and_at_most_30_characters() {
        let longest = format!("#{}", "x".repeat(30));
        for good in ["#a", "#9", "#_", longest.as_str()] {
            assert_eq!(check_room_name(good), Ok(()), "{good}");
        }
        for bad in ["", "#", "a", "##a", "#a b", &format!("{longest}x")] {
            assert!(check_room_name(bad).is_err(), "{bad}");
        }
    }
}
