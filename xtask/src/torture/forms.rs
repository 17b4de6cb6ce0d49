//! What there is: a test, where it is, and how much of it is wanted.

use super::outcome::Outcome;
use super::{fuzz, mutants, schemathesis};
use crate::Failure;

/// The long form of a test.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// What it is called on the command line, and in the line by which the test tells what it did.
    pub(super) name: &'static str,
    pub(super) package: &'static str,
    /// The test target of the package.
    pub(super) target: &'static str,
    /// The test that takes a number of rounds.
    pub(super) test: &'static str,
    /// The tests that prove that it finds what it looks for.
    pub(super) controls: &'static [&'static str],
    /// Whether it is about every database, and not about SQLite or none alone.
    pub(super) on_all: bool,
    /// Rounds that are wanted, and with `--quick`.
    pub(super) rounds: u64,
    pub(super) few: u64,
}

/// In the order in which they run.
pub(super) const FORMS: &[Form] = &[
    Form {
        name: "model",
        package: "domain",
        target: "plays",
        test: "exhaustive::whatever_happens_all_promises_are_kept",
        controls: &["exhaustive::wrong_servers_and_wrong_rules_are_found"],
        on_all: false,
        rounds: 10_000_000,
        few: 100_000,
    },
    Form {
        name: "kill",
        package: "stockroom",
        target: "torture",
        test: "kill::what_was_answered_survives_every_kill",
        controls: &["kill::sqlite_only::a_lost_journal_is_noticed"],
        on_all: false,
        rounds: 1_000,
        few: 10,
    },
    Form {
        name: "sigterm",
        package: "stockroom",
        target: "torture",
        test: "sigterm::a_server_that_is_asked_to_stop_cuts_nobody_off",
        controls: &["sigterm::sqlite_only::a_server_that_does_not_wait_is_noticed"],
        on_all: false,
        rounds: 100,
        few: 3,
    },
    Form {
        name: "keys",
        package: "stockroom",
        target: "torture",
        test: "keys::a_key_has_one_effect_however_often_it_is_sent",
        controls: &["keys::a_second_effect_and_a_wrong_answer_are_noticed"],
        on_all: true,
        rounds: 1_000,
        few: 40,
    },
    Form {
        name: "races",
        package: "stockroom",
        target: "torture",
        // Its controls are within: the same races with ends that they must not have.
        test: "races::races_for_an_order_have_one_winner_and_give_back_once",
        controls: &[],
        on_all: true,
        rounds: 5_000,
        few: 40,
    },
    Form {
        name: "histories",
        package: "stockroom",
        target: "torture",
        test: "histories::histories_are_what_the_rules_say_in_the_order_of_the_log",
        controls: &["histories::a_history_that_is_not_right_is_noticed"],
        on_all: false,
        rounds: 500,
        few: 2,
    },
    Form {
        name: "slow-clients",
        package: "stockroom",
        target: "torture",
        test: "slow_clients::slow_endless_and_deep_clients_do_not_make_the_server_large",
        controls: &["slow_clients::a_server_that_takes_everything_is_noticed"],
        on_all: false,
        rounds: 500,
        few: 40,
    },
    Form {
        name: "guesses",
        package: "stockroom",
        target: "torture",
        // Another control is within: an account whose hash costs half.
        test: "guesses::who_exists_is_not_told_by_the_clock",
        controls: &["guesses::times_that_are_apart_are_told_apart"],
        on_all: true,
        rounds: 6_000,
        few: 24,
    },
    Form {
        name: "power",
        package: "stockroom",
        target: "it",
        test: "sqlite_only::power::what_was_answered_survives_power_cuts",
        controls: &[
            "sqlite_only::power::a_server_that_syncs_now_and_then_loses_what_it_answered",
            "sqlite_only::power::a_server_that_does_not_sync_loses_what_it_answered",
        ],
        on_all: false,
        rounds: 300,
        few: 4,
    },
    Form {
        name: "full",
        package: "stockroom",
        target: "it",
        test: "sqlite_only::full::a_full_disk_is_read_from_and_recovers_by_itself",
        controls: &["sqlite_only::full::the_log_of_a_small_disk_leaves_room_for_the_file"],
        on_all: false,
        rounds: 20,
        few: 2,
    },
    Form {
        name: "inject",
        package: "stockroom",
        target: "it",
        test: "sqlite_only::inject::a_write_or_sync_that_fails_is_never_answered_as_done",
        controls: &["sqlite_only::inject::a_write_that_was_not_done_is_noticed"],
        on_all: false,
        // With any number it goes through all calls that there are, which are more than these.
        rounds: 500,
        few: 500,
    },
    Form {
        name: "canaries",
        package: "stockroom",
        target: "torture",
        // Other controls are within: a line with each of them is noticed, and one that is stored.
        test: "canaries::no_secret_is_told_to_anybody",
        controls: &["canaries::the_address_of_a_database_is_told_without_its_password"],
        on_all: true,
        rounds: 1_000,
        few: 50,
    },
];

/// What is tried with a program of others, on SQLite or no database at all.
#[derive(Debug)]
pub(super) struct Trial {
    /// What it is called on the command line.
    pub(super) name: &'static str,
    /// Does it, or little of it, with its controls.
    pub(super) perform: fn(is_quick: bool) -> Result<Outcome, Failure>,
    /// What is wanted, and with `--quick`.
    pub(super) wanted: u64,
    pub(super) few: u64,
}

/// In the order in which they run, after all forms.
pub(super) const TRIALS: &[Trial] = &[
    Trial { name: "fuzz", perform: fuzz::perform, wanted: fuzz::RUNS, few: fuzz::FEW },
    Trial { name: "schemathesis", perform: schemathesis::perform, wanted: 10_000, few: 1_000 },
    // In percent.
    Trial {
        name: "mutants",
        perform: mutants::perform,
        wanted: mutants::CAUGHT_PERCENT,
        few: mutants::CAUGHT_PERCENT,
    },
];

/// The names of all, in the order in which they run.
pub(super) fn names() -> Vec<&'static str> {
    FORMS.iter().map(|form| form.name).chain(TRIALS.iter().map(|trial| trial.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_names_tests_that_exist() {
        for form in FORMS {
            for test in [form.test].iter().chain(form.controls) {
                let (modules, function) = test.rsplit_once("::").unwrap_or(("", test));
                let folder = crate::root().join(format!("crates/{}/tests/{}", form.package, form.target));
                // The last modules may stand within the file of another one.
                let modules: Vec<_> = modules.split("::").collect();
                let is_there = (1..=modules.len()).any(|depth| {
                    let module = modules[..depth].join("/");
                    let files = [format!("{module}.rs"), format!("{module}/mod.rs")];
                    let texts = files.iter().map(|file| std::fs::read_to_string(folder.join(file)));
                    texts.flatten().any(|text| text.contains(&format!("fn {function}()")))
                });
                assert!(is_there, "{test} of {}", form.name);
            }
        }
    }

    #[test]
    fn each_form_has_a_name_of_its_own() {
        let names = names();
        for (position, name) in names.iter().enumerate() {
            assert!(!names[..position].contains(name), "{name}");
        }
    }
}
