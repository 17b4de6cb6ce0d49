//! What a text is compared by when somebody searches: without regard to case, accents, and how a character is spelled.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;

/// How many characters a gram has.
pub(crate) const GRAM_CHARS: usize = 3;

/// A text with all that is left out that a search does not look at.
///
/// Each character stands for itself, wherever it is, so that a part of a text becomes a part of the folded text: no
/// lower-case sigma of its own at the end of a word.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let kept = text.nfkd().filter(|character| !is_accent(*character));
    kept.flat_map(char::to_lowercase)
        .map(|character| if character == 'ς' { 'σ' } else { character })
        .collect()
}

/// Whether a character is an accent of the letter before it (classes above 200) or a point of Hebrew, Arabic and Syriac
/// (10 to 36). Other combining marks make another letter: the vowels of India and Thailand, the voice of kana.
fn is_accent(character: char) -> bool {
    matches!(canonical_combining_class(character), 10..=36 | 200..)
}

/// All stretches of three characters in a folded text. A shorter text has none.
pub(crate) fn grams(folded: &str) -> impl Iterator<Item = &str> {
    let starts = folded.char_indices().map(|(at, _)| at);
    let ends = folded.char_indices().map(|(at, character)| at + character.len_utf8()).skip(GRAM_CHARS - 1);
    starts.zip(ends).filter_map(|(start, end)| folded.get(start..end))
}

/// The grams of a product, each once.
pub(crate) fn product_grams(sku: &str, name: &str) -> BTreeSet<String> {
    let (sku, name) = (fold(sku), fold(name));
    grams(&sku).chain(grams(&name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_text_fold_into_one() {
        for (texts, folded) in [
            (&["Café", "CAFE", "cafe\u{301}", "ｃａｆé"][..], "cafe"),
            (&["Ångström", "ANGSTROM", "A\u{30a}ngstro\u{308}m"], "angstrom"),
            (&["Việt Nam", "viet nam", "VIỆT\u{a0}NAM"], "viet nam"),
            (&["ΟΔΟΣ", "οδός", "οδοσ"], "οδοσ"),
            (&["ﬁne", "FINE"], "fine"),
            (&["İzmir", "izmir", "IZMIR"], "izmir"),
            (&["5 ㎏", "5 KG"], "5 kg"),
            (&["Ёлка", "елка"], "елка"),
            (&["שָׁלוֹם", "שלום"], "שלום"),
        ] {
            for text in texts {
                assert_eq!(fold(text), folded, "{text:?}");
            }
        }
        // Another letter, not another spelling.
        for (one, other) in [("か", "が"), ("की", "का"), ("o", "ø"), ("龍", "竜")] {
            assert_ne!(fold(one), fold(other));
        }
    }

    #[test]
    fn folding_twice_changes_nothing_and_parts_stay_parts() {
        for character in ('\0'..=char::MAX).filter(|character| *character != '\0') {
            let once = fold(character.encode_utf8(&mut [0; 4]));
            assert_eq!(fold(&once), once, "{character:?}");
            let within = format!("a{character}b");
            assert_eq!(fold(&within), format!("a{once}b"), "{character:?}");
        }
    }

    #[test]
    fn grams_are_three_characters() {
        assert_eq!(grams("").count() + grams("ab").count(), 0);
        assert_eq!(grams("äbc").collect::<Vec<_>>(), ["äbc"]);
        assert_eq!(grams("a龍c🍏").collect::<Vec<_>>(), ["a龍c", "龍c🍏"]);
        let of_product = product_grams("X-1", "Añana ana");
        assert_eq!(of_product.into_iter().collect::<Vec<_>>(), [" an", "a a", "ana", "na ", "nan", "x-1"]);
    }
}
