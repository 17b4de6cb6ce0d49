//! Replays `tests/transcripts/NAME/*.http`: what each contract's own document says, said to a fresh shop.
//!
//! The format is described in `tests/transcripts/README.md`. With `TRANSCRIPT=word` in the environment only the files
//! whose path has that word in it are replayed.

mod compare;
mod control;
mod format;
mod json;
mod replay;

use std::path::Path;

use server::settings::Settings;

use format::Transcript;

/// The transcripts of a folder, by name.
fn transcripts(folder: &str) -> Vec<Result<Transcript, String>> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let entries = std::fs::read_dir(all.join(folder)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "http"));
    files.sort();
    assert!(!files.is_empty(), "no transcript in {folder}");
    let named = |path: &Path| format!("{folder}/{}", path.file_name().unwrap().to_string_lossy());
    let mut transcripts: Vec<_> = files
        .iter()
        .map(|path| Transcript::read(&named(path), &std::fs::read_to_string(path).unwrap()))
        .collect();
    if let Ok(word) = std::env::var("TRANSCRIPT") {
        transcripts.retain(|transcript| transcript.as_ref().map_or(true, |known| known.file.contains(&word)));
    }
    transcripts
}

/// Replays every transcript of a folder, each on a shop of its own, and fails with all that was answered otherwise.
async fn replay_folder(folder: &str, mount: &str, settings: Settings) {
    let mut failed = Vec::new();
    let mut report = String::new();
    for transcript in transcripts(folder) {
        match transcript {
            Ok(transcript) => {
                let differences = replay::replay(&transcript, mount, settings.clone()).await;
                if !differences.is_empty() {
                    failed.push(transcript.file);
                }
                report.push_str(&differences);
            }
            Err(fault) => {
                report.push_str(&format!("\n{fault}\n"));
                failed.push(fault);
            }
        }
    }
    assert!(
        failed.is_empty(),
        "{} of tests/transcripts at {mount:?} differ: {failed:?}\n{report}",
        failed.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn api_as_documented() {
    replay_folder("api", "", Settings::default()).await;
}

/// A façade is tried at both places: always below `/compat`, and at `/` if a setting says so.
macro_rules! facades {
    ($($test:ident: $facade:ident,)+) => { $(
        mod $test {
            use server::compat::Facade;
            use server::settings::Settings;

            #[tokio::test(flavor = "multi_thread")]
            async fn below_compat() {
                let facade = Facade::$facade.word();
                super::replay_folder(facade, &format!("/compat/{facade}"), Settings::default()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn at_the_root() {
                let settings = Settings { compat_root: Some(Facade::$facade), ..Settings::default() };
                super::replay_folder(Facade::$facade.word(), "", settings).await;
            }
        }
    )+ };
}

facades! {
    orderflow: Orderflow,
    mini_order: MiniOrder,
    leafcraft: Leafcraft,
    inventory: Inventory,
}
