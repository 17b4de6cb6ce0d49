//! What a search looks for.

use super::filter::{MAX_SEARCH_BYTES, Select};
use crate::fold::{fold, grams};
use std::collections::BTreeSet;

/// The folded text of a search; `None` for one that nothing can contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needle(Option<String>);

impl Needle {
    /// Of a text as it was asked for; none finds everything.
    pub(super) fn new(text: Option<&str>) -> Self {
        let folded = text.map(fold).unwrap_or_default();
        // Names and SKUs have no such characters; a line end would be found between the two.
        Self(Some(folded).filter(|text| !text.contains(['\0', '\n']) && text.len() <= MAX_SEARCH_BYTES))
    }

    /// Some of its grams, each of which whatever it finds must have; none if it is shorter than one.
    pub(super) fn grams(&self, most: usize) -> Vec<&str> {
        let all: BTreeSet<_> = self.0.iter().flat_map(|text| grams(text)).collect();
        let step = all.len().div_ceil(most).max(1);
        all.into_iter().step_by(step).collect()
    }

    /// Keeps the products in whose name or SKU it is.
    pub(super) fn filter(&self, select: &mut Select) {
        match self.0.as_deref() {
            None => select.filter("1 = 0", []),
            Some("") => {}
            Some(text) => select.filter_text(&["p.search_text"], text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_grams_stand_for_all() {
        for (text, expected) in [("ab", &[][..]), ("ABC", &["abc"]), ("äbcab", &["abc", "bca", "cab"])] {
            assert_eq!(Needle::new(Some(text)).grams(3), expected, "{text}");
        }
        assert_eq!(Needle::new(Some("abcdefghij")).grams(3), ["abc", "def", "ghi"]);
        for text in [None, Some("abcd\0"), Some("abcd\nefgh"), Some(&"x".repeat(10_000))] {
            assert_eq!(Needle::new(text).grams(3), [""; 0]);
        }
    }
}
