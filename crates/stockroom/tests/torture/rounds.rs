//! How much of it.

/// How many rounds are asked for; a few if nobody asked.
pub(crate) fn rounds(few: usize) -> usize {
    let asked = std::env::var("STOCKROOM_TORTURE_ROUNDS").ok();
    asked.map_or(few, |rounds| rounds.parse().unwrap_or_else(|_| panic!("{rounds:?} is no number of rounds")))
}
