//! What must never be printed.

use crate::program::{Place, Ran};

const SECRET: &str = "hush-0123456789-0123456789-0123456789";

#[track_caller]
fn silent(ran: &Ran) {
    assert!(!ran.answer.contains("hush") && !ran.errors.contains("hush"), "{}{}", ran.answer, ran.errors);
}

#[test]
fn config_hides_secrets_and_passwords() {
    let place = Place::new()
        .variable("STOCKROOM_SECRET", SECRET)
        .variable("STOCKROOM_DATABASE_URL", "postgres://shop:hush@host/db");
    let ran = place.run(&["config", "--log-level", "trace"]);
    silent(&ran);
    assert_eq!(ran.shown("secret"), ("***".to_owned(), "STOCKROOM_SECRET".to_owned()));
    assert_eq!(ran.shown("database_url").0, "postgres://shop:***@host/db");
}

#[test]
fn refusals_do_not_quote_secrets() {
    let place = Place::new()
        .variable("STOCKROOM_SECRET", "hush")
        .variable("STOCKROOM_DATABASE_URL", "postgre://shop:hush@host/db");
    let ran = place.run(&["config"]);
    silent(&ran);
    ran.refused(&[
        "STOCKROOM_DATABASE_URL: database_url: write sqlite:PATH, postgres://USER:PASSWORD@HOST/NAME or \
         mysql://USER:PASSWORD@HOST/NAME",
        "STOCKROOM_SECRET: secret: the given secret is shorter than 32 characters; make one with: openssl rand -hex 32",
    ]);
}

#[test]
fn what_can_be_guessed_is_no_secret() {
    for (secret, complaint) in [
        ("hush", "is shorter than 32 characters"),
        ("hush-change-me-hush-change-me-hush-change-me", "is a placeholder that everybody knows"),
        ("hushhushhushhushhushhushhushhushhushhush", "is too repetitive"),
        ("   \t   ", "is shorter than 32 characters"),
    ] {
        let hint = format!("secret: the given secret {complaint}; make one with: openssl rand -hex 32");
        let ran = Place::new().variable("STOCKROOM_SECRET", secret).run(&["serve"]);
        silent(&ran);
        ran.refused(&[&format!("STOCKROOM_SECRET: {hint}")]);
        let ran = Place::new().file("stockroom.toml", &format!("secret = {secret:?}")).run(&["serve"]);
        silent(&ran);
        ran.refused(&[&format!("stockroom.toml: {hint}")]);
        let ran = Place::new().file("key", secret).run(&["serve", "--secret-file", "key"]);
        silent(&ran);
        let hint = hint.trim_start_matches("secret: ");
        assert!(
            ran.errors.contains(&format!("--secret-file: secret_file = \"key\": {hint}")),
            "{}",
            ran.errors
        );
    }
    // What is no text at all.
    for wrong in ["['hush']", "{ hush = 1 }", "'hush", "\"hush\\q\"", "hush.hush", "\"a\"\nsecret = \"hush\""]
    {
        let ran = Place::new().file("stockroom.toml", &format!("secret = {wrong}\n")).run(&["serve"]);
        silent(&ran);
        assert_eq!(ran.code, 2, "{wrong}");
        assert!(ran.errors.starts_with("error: stockroom.toml: "), "{}", ran.errors);
    }
}

#[cfg(unix)]
#[test]
fn a_kept_secret_that_is_exposed_or_broken_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    place.add_user("ann", "admin", "correct horse battery").succeeded();
    let key = place.path().join("data/secret.key");
    let text = std::fs::read_to_string(&key).unwrap();
    for (content, mode, hint) in [
        (text.as_str(), 0o644, "run: chmod 600"),
        (
            "hush\n",
            0o600,
            "does not hold at least 64 hexadecimal digits; restore it from a backup, or delete it",
        ),
    ] {
        std::fs::write(&key, content).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let ran = place.run(&["serve", "--listen", "127.0.0.1:0"]);
        silent(&ran);
        assert!(ran.failed(1).contains(hint), "{}", ran.errors);
        assert!(!ran.errors.contains(text.trim()), "{}", ran.errors);
    }
}

#[test]
fn broken_files_are_not_quoted() {
    let place =
        Place::new().file(".env", "\nSTOCKROOM_SECRET='hush\n").file("stockroom.toml", "\n\nsecret = hush\n");
    let ran = place.run(&["config"]);
    silent(&ran);
    assert_eq!(ran.code, 2);
    assert!(
        ran.errors.contains("error: .env: line 2: the quote ' is not closed on this line"),
        "{}",
        ran.errors
    );
    assert!(ran.errors.contains("error: stockroom.toml: line 3 is not valid TOML"), "{}", ran.errors);
}

#[test]
fn a_secret_may_come_from_a_file_but_not_from_a_flag() {
    let place = Place::new().file("key", &format!("{SECRET}\n"));
    let ran = place.run(&["config", "--secret-file", "key"]);
    silent(&ran);
    assert_eq!(ran.shown("secret").0, "***");
    assert_eq!(ran.shown("secret_file"), ("key".to_owned(), "--secret-file".to_owned()));
    assert_eq!(place.run(&["config", "--secret", SECRET]).code, 2);

    let ran = place.run(&["config", "--secret-file", "nowhere"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.errors.starts_with("error: --secret-file: secret_file = \"nowhere\": cannot be read: "),
        "{}",
        ran.errors
    );

    let place = place.variable("STOCKROOM_SECRET", SECRET);
    place.run(&["config", "--secret-file", "key"]).refused(&[
        "STOCKROOM_SECRET, --secret-file: secret and secret_file are both set: remove one of them",
    ]);
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_may_read_is_pointed_out() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new().file("key", SECRET);
    for (mode, warned) in [(0o644, true), (0o600, false)] {
        std::fs::set_permissions(place.path().join("key"), std::fs::Permissions::from_mode(mode)).unwrap();
        let ran = place.run(&["config", "--secret-file", "key"]);
        assert_eq!(ran.errors.contains("chmod 600"), warned, "{mode:o}: {}", ran.errors);
    }
}
