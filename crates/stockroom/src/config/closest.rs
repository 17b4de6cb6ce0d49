//! Finds what somebody probably meant to write.

/// The candidate that the fewest edits make of `word`; the first of several.
pub(super) fn closest(word: &str, candidates: impl Iterator<Item = String>) -> String {
    candidates.min_by_key(|candidate| distance(word, candidate)).unwrap_or_default()
}

/// Levenshtein's distance: how many characters must be added, removed or replaced.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, left) in one.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, right) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{closest, distance};

    #[test]
    fn distances() {
        for (one, other, edits) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("Listen", "listen", 0)]
        {
            assert_eq!(distance(one, other), edits);
            assert_eq!(distance(other, one), edits);
        }
    }

    #[test]
    fn the_closest_word_wins() {
        let words = || ["listen", "currency", "data_dir"].into_iter().map(str::to_owned);
        assert_eq!(closest("lisen", words()), "listen");
        assert_eq!(closest("datadir", words()), "data_dir");
    }
}
