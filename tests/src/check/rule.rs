//! What a rule says, as the protocol's page says it.

static PAGE: &str = include_str!("../../../docs/src/protocol.md");

/// Characters of a rule that a verdict quotes; the page has the rest.
const QUOTED_CHARS_MAX: usize = 320;

/// The first paragraph of prose below the rule's heading, in whole sentences.
pub fn sentence(rule: &str) -> Option<String> {
    let (_, below) = PAGE.split_once(&format!("{{#{rule}}}"))?;
    let (section, _) = below.split_once("\n#").unwrap_or((below, ""));
    let is_prose = |text: &&str| {
        let figure = text.starts_with(['|', '-']) || text.starts_with("```");
        !text.trim().is_empty() && !figure
    };
    let text = section.split("\n\n").skip(1).find(is_prose)?.replace('\n', " ");
    let mut quoted = String::new();
    for sentence in text.split_inclusive(". ") {
        if quoted.len() + sentence.len() > QUOTED_CHARS_MAX && !quoted.is_empty() {
            break;
        }
        quoted += sentence;
    }
    let quoted = quoted.trim();
    (!quoted.is_empty()).then(|| without_links(quoted))
}

/// `[L10](#L10)` is `L10`.
fn without_links(text: &str) -> String {
    let mut words = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        let Some((shown, after)) = link.split_once("](") else { break };
        let Some((_, after)) = after.split_once(')') else { break };
        words += before;
        words += shown;
        rest = after;
    }
    words + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::checks;

    #[test]
    fn every_rule_that_a_check_judges_can_be_quoted() {
        for check in checks::all() {
            let quoted = sentence(check.rule);
            assert!(quoted.is_some_and(|text| text.len() < 500), "{}: {}", check.name, check.rule);
        }
    }

    #[test]
    fn a_link_is_its_words() {
        assert_eq!(without_links("as [L10](#L10) does [x]"), "as L10 does [x]");
    }
}
