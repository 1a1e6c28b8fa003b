//! "Did you mean", and text of others put into a sentence.

/// `did you mean `x`?` for the candidate that is nearest to `word`, if any is near.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    closest(word, candidates).map(|near| format!("did you mean `{near}`?"))
}

fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody means a word by a hundred letters, and the comparison is quadratic.
    if word.len() > 60 {
        return None;
    }
    let lower = word.to_lowercase();
    let holds = |whole: &str, part: &str| part.len() >= 4 && whole.contains(part);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 60)
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| {
            *distance <= (candidate.len().max(word.len()) / 3).max(1)
                || holds(candidate, &lower)
                || holds(&lower, candidate)
        })
        .filter(|(distance, candidate)| *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Text in back quotes, not longer than a line can bear.
pub(crate) fn quote(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("`{}…`", &text[..at]),
        None => format!("`{text}`"),
    }
}

/// `a, b or c`.
pub(crate) fn either<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(quote).collect();
    match words.as_slice() {
        [] => "nothing".into(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let keys = ["timeout", "rate", "expect"];
        assert_eq!(closest("timeuot", keys), Some("timeout"));
        assert_eq!(closest("Rate", keys), Some("rate"));
        assert_eq!(closest("colour", keys), None);
        assert_eq!(closest("x", ["a", "b"]), None);
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(either([]), "nothing");
        assert_eq!(either(["a"]), "`a`");
        assert_eq!(either(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
