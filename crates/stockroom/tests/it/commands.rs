//! The command line itself.

use crate::program::Place;

#[test]
fn help_and_version_succeed_and_nonsense_is_a_usage_error() {
    let place = Place::new();
    assert_eq!(place.run(&["--help"]).code, 0);
    assert!(place.run(&["--version"]).answer.starts_with("stockroom "));
    let nothing = place.run(&[]);
    assert_eq!((nothing.code, nothing.answer.as_str()), (2, ""));
    assert!(nothing.errors.contains("serve") && nothing.errors.contains("verify"));
    assert_eq!(place.run(&["sell"]).code, 2);
    assert_eq!(place.run(&["migrate", "--listen", "127.0.0.1:1"]).code, 2);
}

#[test]
fn help_tells_every_flag_but_those_for_tests() {
    let help = Place::new().run(&["serve", "--help"]).answer;
    for flag in [
        "--listen",
        "--database",
        "--cors-origin",
        "--secret-file",
        "--shutdown-grace-seconds",
        "--log-level",
        "--compat-root <orderflow|mini-order|leafcraft|inventory|none>",
    ] {
        assert!(help.contains(flag), "{flag}");
    }
    assert!(!help.contains("--test-sync-delay-us"));
}

#[test]
fn answers_go_to_standard_output_and_nothing_else_does() {
    let ran = Place::new().run(&["config", "--log-level", "trace", "--log-format", "json"]);
    assert_eq!(ran.code, 0);
    assert!(ran.answer.starts_with("SETTING "));
    assert_eq!(ran.errors, "");
}

#[test]
fn json_logs_are_one_object_a_line() {
    let place = Place::new().variable("DB_HOST", "h").variable("DB_NAME", "n");
    let ran = place.run(&["config", "--log-format", "json"]);
    let lines: Vec<serde_json::Value> =
        ran.errors.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["level"], "WARN");
}

#[test]
fn passwords_come_from_standard_input_alone() {
    let place = Place::new();
    let add = ["user", "add", "--username", "ann", "--email", "ann@shop.example", "--role", "admin"];
    let missing = place.run_with(&add, b"open sesame\n");
    assert_eq!(missing.code, 2);
    assert!(missing.errors.contains("--password-stdin"), "{}", missing.errors);

    let short = place.run_with(&[&add[..], &["--password-stdin"]].concat(), b"hush\n");
    short.refused(&["the password must have at least 8 characters"]);
    place
        .run(&["user", "passwd", "--username", "ann", "--password-stdin"])
        .refused(&["standard input holds no password in its first line"]);

    let wrong = [
        "user",
        "add",
        "--username",
        "ann",
        "--email",
        "ann@shop.example",
        "--role",
        "boss",
        "--password-stdin",
    ];
    let wrong = place.run(&wrong);
    assert_eq!(wrong.code, 2);
    assert!(wrong.errors.contains("customer, staff, admin"), "{}", wrong.errors);
}

#[test]
fn a_broken_configuration_stops_every_command_but_openapi() {
    let place = Place::new().variable("STOCKROOM_LISTEN", "8000");
    for command in [&["serve"][..], &["migrate"], &["verify"], &["config"]] {
        place
            .run(command)
            .refused(&["STOCKROOM_LISTEN: listen = \"8000\": write ADDR:PORT, for example 127.0.0.1:8000"]);
    }
    assert_ne!(place.run(&["openapi"]).code, 2);
}
