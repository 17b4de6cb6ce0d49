//! An embedded database under everything that can happen to its disk.
//!
//! Each test runs a sample by default. With STOCKROOM_TORTURE_ROUNDS set it goes on for that many rounds, or through all
//! there is, which is what `cargo xtask torture` does.

mod backup;
mod disk;
mod full;
mod ground;
mod inject;
mod power;
mod slow;
mod trace;
mod wrong;

/// How many rounds to run: `few` unless somebody asks for more.
fn rounds(few: usize) -> usize {
    asked().unwrap_or(few)
}

/// Whether somebody asked for all there is.
fn is_torture() -> bool {
    asked().is_some()
}

fn asked() -> Option<usize> {
    let asked = std::env::var("STOCKROOM_TORTURE_ROUNDS").ok()?;
    Some(asked.parse().expect("STOCKROOM_TORTURE_ROUNDS must be a number"))
}
