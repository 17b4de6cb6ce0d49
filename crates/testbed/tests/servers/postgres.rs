//! PostgreSQL, and a standby that follows it.

use testbed::{Kind, Standby};

use crate::life;

const KIND: Kind = Kind::Postgres;

#[test]
fn a_url_names_the_user_the_port_and_the_database() {
    let server = life::server(KIND, false);
    assert_eq!(server.url(""), format!("postgres://stockroom@127.0.0.1:{}/stockroom", server.port()));
    assert_eq!(server.url("shop"), format!("postgres://stockroom@127.0.0.1:{}/shop", server.port()));
    server.query("stockroom", "CREATE DATABASE shop").expect("a database");
    let answer = server.query("shop", "SELECT current_user, current_database()");
    assert_eq!(answer.as_deref(), Ok("stockroom\tshop\n"));
}

#[test]
fn two_servers_are_strangers() {
    life::two_servers_are_strangers(KIND);
}

#[test]
fn a_stopped_server_starts_again_with_its_data() {
    life::a_stopped_server_starts_again_with_its_data(KIND);
}

#[test]
fn a_killed_server_starts_again_at_once_with_what_it_committed() {
    life::a_killed_server_starts_again_at_once_with_what_it_committed(KIND);
}

#[test]
fn a_paused_server_holds_every_answer_back() {
    life::a_paused_server_holds_every_answer_back(KIND);
}

#[test]
fn a_paused_server_can_be_stopped_and_dropped() {
    life::a_paused_server_can_be_stopped_and_dropped(KIND);
}

#[test]
fn a_dropped_server_leaves_nothing_behind() {
    life::a_dropped_server_leaves_nothing_behind(KIND);
}

#[test]
fn a_server_ends_with_its_owner() {
    life::a_server_ends_with_its_owner(KIND, "postgres::a_server_ends_with_its_owner");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    life::a_directory_that_is_not_there_is_named(KIND);
}

#[test]
fn a_standby_has_what_its_primary_has_answered_and_takes_over() {
    let mut primary = life::server(KIND, true);
    let standby = Standby::of(&primary).unwrap_or_else(|failure| panic!("{failure}"));
    let (first, second) = (primary.port(), standby.server().port());
    assert_eq!(standby.url(""), format!("postgres://stockroom@127.0.0.1:{second}/stockroom"));
    assert_eq!(
        standby.pair_url(""),
        format!(
            "postgres://stockroom@127.0.0.1:{first},127.0.0.1:{second}/stockroom?target_session_attrs=read-write"
        )
    );
    primary.query("stockroom", "CREATE TABLE kept (id INT PRIMARY KEY)").expect("a table");
    for id in 0..20 {
        primary.query("stockroom", &format!("INSERT INTO kept VALUES ({id})")).expect("a row");
    }
    standby.server().query("stockroom", "INSERT INTO kept VALUES (20)").expect_err("it only follows");

    primary.kill().expect("its end");
    standby.promote().expect("a primary");
    let count = "SELECT count(*) FROM kept";
    assert_eq!(standby.server().query("stockroom", count).as_deref(), Ok("20\n"));
    standby.server().query("stockroom", "INSERT INTO kept VALUES (20)").expect("it waits for nobody");
}

#[test]
fn a_primary_does_not_answer_before_its_standby_has_it() {
    let primary = life::server(KIND, true);
    let standby = Standby::of(&primary).unwrap_or_else(|failure| panic!("{failure}"));
    standby.server().pause().expect("a pause");
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| primary.query("stockroom", "CREATE TABLE kept (id INT PRIMARY KEY)"));
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(!commit.is_finished(), "an answer without the standby");
        standby.server().resume().expect("its end");
        commit.join().expect("a thread").expect("an answer");
    });
}

#[test]
fn a_standby_follows_a_durable_server_alone() {
    let failure = Standby::of(&life::server(KIND, false)).expect_err("nothing to follow");
    assert!(failure.contains("durable"), "{failure}");
}
