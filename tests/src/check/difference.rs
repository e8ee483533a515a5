//! Bytes for people: what was expected, what came, and where they part.

/// Bytes that are shown around the place where two texts part.
const SHOWN: usize = 60;

/// `bytes` as text in which nothing is invisible: `hi\r\n`, `\xff`, `\u{202e}`.
pub fn visible(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\'' => text.push(c),
                _ => text.extend(c.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// As [`visible`], with the middle of a long text left out.
pub fn brief(bytes: &[u8]) -> String {
    if bytes.len() <= 2 * SHOWN {
        return visible(bytes);
    }
    let (start, end) = (&bytes[..SHOWN], &bytes[bytes.len() - SHOWN / 2..]);
    format!("{} ... {} ({} bytes)", visible(start), visible(end), bytes.len())
}

/// Both texts, the second with a caret below the first byte that differs.
pub fn show(expected: &[u8], got: &[u8]) -> (String, String) {
    if got.is_empty() {
        return (brief(expected), "nothing".to_string());
    }
    let same = expected.iter().zip(got).take_while(|(a, b)| a == b).count();
    let start = same.saturating_sub(SHOWN / 2);
    let dots = if start > 0 { "... " } else { "" };
    let before = format!("{dots}{}", visible(&got[start..same]));
    let caret = " ".repeat(before.chars().count());
    let got_text =
        format!("{before}{}\n{caret}^ differs at byte {}", brief(&got[same..]), same + 1);
    let expected_text = format!(
        "{dots}{}{}",
        visible(&expected[start.min(expected.len())..same]),
        brief(&expected[same..])
    );
    (expected_text, got_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_first_byte_that_differs() {
        let (expected, got) = show(b"alice: one\n", b"alice: one@bob:two\n");
        assert_eq!(expected, "alice: one\\n");
        assert_eq!(got, "alice: one@bob:two\\n\n          ^ differs at byte 11");
    }

    #[test]
    fn nothing_is_invisible() {
        assert_eq!(visible(b"a\x1b\r\n\xff"), "a\\u{1b}\\r\\n\\xff");
    }

    #[test]
    fn a_long_text_is_shown_around_the_place_that_matters() {
        let mut got = vec![b'x'; 3000];
        got[2000] = b'y';
        let (_, text) = show(&[b'x'; 3000], &got);
        assert!(text.starts_with("... xxx") && text.contains("differs at byte 2001"));
        assert!(text.len() < 400);
    }
}
