//! Where a network cuts what is sent through it.

/// Bytes that wait for the end of their line at most; a server's line has at most 8192 (rule L3).
const LINE_BYTES_MAX: usize = 16 * 1024;

#[derive(Debug, Clone, Copy)]
pub enum Cut {
    /// As they come.
    Reads,
    /// Into pieces of so many bytes.
    Split(usize),
    /// Not before so many bytes are there.
    Join(usize),
    /// Behind each LF.
    Lines,
}

impl Cut {
    /// Takes the next piece out of what has come so far; `None`: it is to be held back.
    pub fn next_piece(self, held: &mut Vec<u8>) -> Option<Vec<u8>> {
        let length = match self {
            Cut::Reads => held.len(),
            Cut::Split(bytes) => bytes.min(held.len()),
            Cut::Join(bytes) if held.len() < bytes => 0,
            Cut::Join(_) => held.len(),
            Cut::Lines => match held.iter().position(|byte| *byte == b'\n') {
                Some(at) => at + 1,
                None if held.len() > LINE_BYTES_MAX => held.len(),
                None => 0,
            },
        };
        (length > 0).then(|| held.drain(..length).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cut: Cut, sent: &str, pieces: &[&str], held: &str) {
        let mut bytes = sent.as_bytes().to_vec();
        let got: Vec<Vec<u8>> = std::iter::from_fn(|| cut.next_piece(&mut bytes)).collect();
        let got: Vec<String> = got.into_iter().map(|it| String::from_utf8(it).unwrap()).collect();
        assert_eq!(got, pieces);
        assert_eq!(bytes, held.as_bytes());
    }

    #[test]
    fn a_network_splits_and_joins() {
        check(Cut::Reads, "#ali\n@a", &["#ali\n@a"], "");
        check(Cut::Split(3), "#ali\n@a", &["#al", "i\n@", "a"], "");
        check(Cut::Join(8), "#ali\n@a", &[], "#ali\n@a");
        check(Cut::Join(7), "#ali\n@a", &["#ali\n@a"], "");
        check(Cut::Lines, "#ali\n@a", &["#ali\n"], "@a");
    }
}
