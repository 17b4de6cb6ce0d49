//! MariaDB, or MySQL.

use testbed::Kind;

use crate::life;

const KIND: Kind = Kind::MariaDb;

#[test]
fn a_url_names_the_user_the_port_and_the_database() {
    let server = life::server(KIND, false);
    assert_eq!(server.url(""), format!("mysql://root@127.0.0.1:{}/", server.port()));
    assert_eq!(server.url("shop"), format!("mysql://root@127.0.0.1:{}/shop", server.port()));
    server.query("", "CREATE DATABASE shop").expect("a database");
    assert_eq!(server.query("shop", "SELECT database(), 'a\tb'").as_deref(), Ok("shop\ta\tb\n"));
}

#[test]
fn temporary_files_lie_in_the_server_s_own_directory() {
    let server = life::server(KIND, false);
    let place = server.query("", "SELECT @@tmpdir").expect("an answer");
    assert_eq!(life::data(&server).parent(), Some(std::path::Path::new(place.trim())));
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
    life::a_server_ends_with_its_owner(KIND, "mariadb::a_server_ends_with_its_owner");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    life::a_directory_that_is_not_there_is_named(KIND);
}
