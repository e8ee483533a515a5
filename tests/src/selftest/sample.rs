//! A part of the zoo that changes with the commit: over time each program has its turn.

use super::costs::Row;
use super::cover;
use crate::zoo::Animal;

/// How long the sample takes, by the table, if one program is checked after the other.
const SECONDS_MAX: f64 = 400.0;

/// Chosen by `text`, the same for the same text, until the time is used up.
pub fn sample<'a>(animals: &[&'a Animal], rows: &[Row], text: &str) -> Vec<&'a Animal> {
    let mut shuffled = animals.to_vec();
    fastrand::Rng::with_seed(number_of(text)).shuffle(&mut shuffled);
    let mut left = SECONDS_MAX;
    shuffled.retain(|animal| {
        let seconds = cover::seconds(animal, rows);
        let fits = seconds <= left;
        if fits {
            left -= seconds;
        }
        fits
    });
    shuffled
}

/// FNV-1a: the standard library's hash may be another one in its next version.
fn number_of(text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325;
    text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_its_own_sample_and_keeps_it() -> anyhow::Result<()> {
        let animals = crate::zoo::all()?;
        let animals: Vec<&Animal> = animals.iter().collect();
        let names = |text| {
            let sample = sample(&animals, &[], text);
            sample.iter().map(|animal| animal.name.clone()).collect::<Vec<_>>()
        };
        assert!(!names("one").is_empty());
        assert_eq!(names("one"), names("one"));
        assert_ne!(names("one"), names("two"));
        Ok(())
    }
}
