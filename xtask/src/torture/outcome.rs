//! What a form said about itself.

use super::programs::Said;

/// What came of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Rounds that were done without a finding; `None` when there was one, or when it could not be proved that there would be.
    pub(super) rounds: Option<u64>,
    /// What was found, in a few words.
    pub(super) found: String,
    controls: bool,
}

impl Default for Outcome {
    fn default() -> Self {
        Self { rounds: None, found: String::new(), controls: true }
    }
}

impl Outcome {
    /// So many rounds were done without a finding.
    pub(super) fn pass(&mut self, rounds: u64, found: &str) {
        self.rounds = Some(rounds);
        found.clone_into(&mut self.found);
    }

    /// There was a finding, or nothing that it would be worth anything to have done.
    pub(super) fn fail(&mut self, found: &str) {
        self.rounds = None;
        found.clone_into(&mut self.found);
    }

    /// A control that fails takes the worth from everything else.
    pub(super) fn note_control(&mut self, control: &str, said: &Said) {
        if said.code != Some(0) || !has_run(&said.text) {
            self.controls = false;
            self.found = format!("control failed: {}", control.rsplit("::").next().unwrap_or(control));
        }
    }

    /// Reads the line `torture NAME: NUMBER …` of a test that succeeded.
    pub(super) fn note(&mut self, name: &str, said: &Said) {
        if !self.controls {
            return;
        }
        let told = said.text.lines().find_map(|line| line.split_once(&format!("torture {name}: ")));
        let rounds = told.and_then(|(_, told)| told.split_whitespace().next()?.parse().ok());
        match (said.code, told) {
            (Some(0), Some((_, told))) => {
                self.rounds = rounds;
                // The number has a column of its own.
                let rest = told.split_once(", ").map_or("nothing", |(_, rest)| rest);
                rest.clone_into(&mut self.found);
            }
            (Some(0), None) => "no such test, or it says nothing".clone_into(&mut self.found),
            (Some(_), _) => "FAILED, see above".clone_into(&mut self.found),
            (None, _) => "too slow".clone_into(&mut self.found),
        }
    }
}

/// Whether any test was run: a name that nothing has is a success, too.
fn has_run(text: &str) -> bool {
    text.contains("test result: ok. 1 passed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: Option<i32>, text: &str) -> Said {
        Said { code, text: text.to_owned() }
    }

    fn outcome(control: &Said, test: &Said) -> (Option<u64>, String) {
        let mut outcome = Outcome::default();
        outcome.note_control("kill::a_control", control);
        outcome.note("kill", test);
        (outcome.rounds, outcome.found)
    }

    #[test]
    fn rounds_count_only_without_findings_and_with_controls() {
        let fine = said(Some(0), "test a ... ok\n\ntest result: ok. 1 passed; 0 failed");
        let done = said(Some(0), "test it ... torture kill: 1000 kills, 0 lost, 0 doubled\nok\n");
        assert_eq!(outcome(&fine, &done), (Some(1000), "0 lost, 0 doubled".to_owned()));

        let failed = said(Some(101), "torture kill: 1000 kills\npanicked");
        assert_eq!(outcome(&fine, &failed), (None, "FAILED, see above".to_owned()));
        assert_eq!(outcome(&fine, &said(None, "")), (None, "too slow".to_owned()));
        assert_eq!(outcome(&fine, &said(Some(0), "ok")).0, None);
        let control = (None, "control failed: a_control".to_owned());
        assert_eq!(outcome(&failed, &done), control);
        let none = said(Some(0), "test result: ok. 0 passed; 0 failed; 9 filtered out");
        assert_eq!(outcome(&none, &done), control);
    }
}
