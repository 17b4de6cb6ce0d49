use super::*;

fn file(directory: &Path, content: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = directory.join(FILE_NAME);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn is_made_once_and_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("deep/data");
    let first = Secret::load_or_create(&data).unwrap();
    let second = Secret::load_or_create(&data).unwrap();
    assert_eq!(first.0, second.0);
    assert_eq!(first.0.len(), 32);
    let mode = std::fs::metadata(data.join(FILE_NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1, "no draft is left");
}

#[test]
fn is_the_same_for_all_who_start_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let secrets: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let starters: Vec<_> =
            (0..16).map(|_| scope.spawn(|| Secret::load_or_create(directory.path()).unwrap().0)).collect();
        starters.into_iter().map(|starter| starter.join().unwrap()).collect()
    });
    assert!(secrets.iter().all(|secret| secret == &secrets[0]));
}

#[test]
fn unfit_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let load = |content: &str, mode| {
        file(directory.path(), content, mode);
        Secret::load_or_create(directory.path())
    };
    let good = "0123456789abcdefABCDEF0123456789".repeat(2);
    assert!(load(&format!("{good}\n"), 0o600).is_ok());
    assert!(load(&good, 0o400).is_ok());
    for mode in [0o644, 0o640, 0o620, 0o604] {
        let error = load(&good, mode).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
    for bad in ["", "abc", &good[..62], &good[..63], &good.replace('0', "g"), &"a".repeat(5000)] {
        assert!(matches!(load(bad, 0o600), Err(SecretError::Malformed { .. })), "{bad}");
    }
}

#[test]
fn chosen_text_must_be_hard_to_guess() {
    assert!(Secret::from_text("0123456789abcdef0123456789abcdef").is_ok());
    for weak in [
        "",
        "secret",
        "changeme",
        "short but random x7Qp",
        "changeme-changeme-changeme-changeme-0123456789",
        "your-super-secret-key-change-this-in-production",
        "CHANGE_ME_0123456789_abcdefghijklmnop",
        &"a".repeat(64),
        &"0123".repeat(16),
    ] {
        assert!(matches!(Secret::from_text(weak), Err(SecretError::Weak(_))), "{weak}");
    }
}

#[test]
fn purposes_have_keys_of_their_own() {
    let secret = Secret::from_text("0123456789abcdef0123456789abcdef").unwrap();
    assert_ne!(secret.token_key().as_bytes(), secret.fingerprint_key().as_bytes());
    assert_eq!(secret.token_key().as_bytes(), secret.clone().token_key().as_bytes());
    let shown = format!("{secret:?} {:?}", secret.token_key());
    assert_eq!(shown, "Secret([hidden]) SubKey([hidden])");
}
