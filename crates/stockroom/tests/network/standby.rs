//! A primary is lost, and its standby takes over: what was answered is there, because the standby had it.

/// What only PostgreSQL can do: here each test starts a primary and a standby of its own.
mod postgres_only {
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use testbed::{Kind, Server as Database, Standby};

    use crate::callers::{OPENING, furnish, look, the_audit_would_have_noticed};
    use crate::crowd::{Crowd, PATIENCE, await_answers, await_ready, metric};
    use crate::history::audit;
    use crate::program::Place;
    use crate::server::Server;
    use crate::shopper::{answers_of, history_of};

    const SHOPPERS: u64 = 8;
    const DONE: &[u16] = &[200, 201];
    const UNAVAILABLE: &[u16] = &[503];
    const UNKNOWN: &[u16] = &[504];
    /// Commands between one event of a test and the next.
    const SOME: u64 = 150;

    /// A primary with its standby, and a shop on both.
    struct Pair {
        primary: Database,
        standby: Standby,
        place: Place,
        token: String,
    }

    impl Pair {
        #[track_caller]
        fn new() -> Self {
            let primary = Database::start(Kind::Postgres, true).unwrap();
            let standby = Standby::of(&primary).unwrap();
            let place = Place::new().variable("STOCKROOM_DATABASE_URL", &standby.pair_url(""));
            let token = furnish(&place, &[]);
            Self { primary, standby, place, token }
        }

        /// The primary no longer waits for the standby.
        #[track_caller]
        fn make_asynchronous(&self) {
            self.primary.query("stockroom", "ALTER SYSTEM SET synchronous_standby_names = ''").unwrap();
            self.primary.query("stockroom", "SELECT pg_reload_conf()").unwrap();
        }

        /// Kills both, and what is on its way from one to the other with them; then the standby takes over.
        #[track_caller]
        fn lose_primary(&mut self) {
            self.standby.server_mut().kill().unwrap();
            self.primary.kill().unwrap();
            self.standby.server_mut().start_again().unwrap();
            self.standby.promote().unwrap();
        }

        /// Waits until a transaction of the primary waits for the standby.
        #[track_caller]
        fn await_waiting_commit(&self) {
            let start = Instant::now();
            let waiting = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
            while self.primary.query("stockroom", waiting).unwrap().trim() != "t" {
                assert!(start.elapsed() < PATIENCE, "nothing waits for the standby");
                sleep(Duration::from_millis(10));
            }
        }
    }

    /// Holds what the shoppers were told against what there is.
    #[track_caller]
    fn check(place: &Place, server: &Server, token: &str, crowd: &Crowd, when: &str) {
        println!("{when}: {}", crowd.summary());
        crowd.assert_no_wrong_answer();
        let history = history_of(&crowd.shoppers);
        let found = look(&mut server.client().with_token(token));
        let findings = audit(&history, &found, OPENING);
        assert!(findings.is_empty(), "{when}: {findings:#?}");
        place.run(&["verify"]).succeeded();
    }

    #[test]
    fn what_was_answered_survives_the_loss_of_the_primary() {
        let Pair { mut primary, mut standby, place, token } = Pair::new();
        // How long there is no primary: shorter and longer than callers wait.
        let outages = [0, 5000, 100].map(Duration::from_millis);
        let server = Server::start(&place, &["--database-wait-seconds", "2"]);
        let mut crowd = Crowd::new(SHOPPERS, &[&server], &token);
        for (round, outage) in (1..).zip(outages) {
            crowd.work(|| {
                await_answers(&server, DONE, SOME);
                primary.kill().unwrap();
                sleep(outage);
                standby.promote().unwrap();
                await_answers(&server, DONE, SOME);
            });
            // The same process of Stockroom, from the first round to the last.
            check(&place, &server, &token, &crowd, &format!("after losing primary {round}"));
            // The one that was lost comes back as a standby, while orders come in.
            let survivor = standby.into_server();
            standby = crowd.work(|| Standby::in_place_of(primary, &survivor).unwrap());
            primary = survivor;
        }
        check(&place, &server, &token, &crowd, "at the end");
        let lost = metric(&server, "stockroom_commit_lost_connections_total");
        let found = metric(&server, "stockroom_commit_outcomes_found_total");
        println!("{lost} lost connections, {found} outcomes found");
        let answers = answers_of(&crowd.shoppers);
        assert!(answers.count(503) + answers.count(504) > 0, "an outage of five seconds went unnoticed");
        let found = look(&mut server.client().with_token(&token));
        the_audit_would_have_noticed(&history_of(&crowd.shoppers), &found);
        assert_eq!(server.stop(), 0);
    }

    /// The control: what is answered without the standby is lost with the primary, and the same audit notices it.
    #[test]
    fn a_standby_that_nobody_waits_for_loses_answered_orders() {
        let mut pair = Pair::new();
        pair.make_asynchronous();
        let server = Server::start(&pair.place, &[]);
        let mut crowd = Crowd::new(SHOPPERS, &[&server], &pair.token);
        crowd.work(|| await_answers(&server, DONE, SOME));
        pair.standby.server_mut().kill().unwrap();
        crowd.work(|| await_answers(&server, DONE, SOME));
        pair.lose_primary();
        await_ready(&server);
        let found = look(&mut server.client().with_token(&pair.token));
        let findings = audit(&history_of(&crowd.shoppers), &found, OPENING);
        let lost = findings.iter().filter(|finding| finding.ends_with("was answered and is lost")).count();
        println!("{}; {lost} orders lost", crowd.summary());
        assert!(lost > 0, "{findings:?}");
    }

    /// Who loses patience while the standby is slow gets no second order.
    #[test]
    fn a_slow_standby_delays_answers_and_doubles_nothing() {
        let pair = Pair::new();
        let server = Server::start(&pair.place, &["--database-wait-seconds", "1"]);
        let mut crowd = Crowd::new(SHOPPERS, &[&server], &pair.token);
        crowd.work(|| {
            for _ in 0..3 {
                await_answers(&server, DONE, SOME);
                pair.standby.server().pause().unwrap();
                // Longer than everybody waits.
                await_answers(&server, UNKNOWN, 1);
                await_answers(&server, UNAVAILABLE, 1);
                pair.standby.server().resume().unwrap();
            }
            await_answers(&server, DONE, SOME);
        });
        check(&pair.place, &server, &pair.token, &crowd, "after the standby was slow");
        assert!(crowd.found_done() > 0, "no commit was waiting when its callers gave up");
    }

    /// What was answered while the standby hung is on the standby, so nothing was answered too early.
    #[test]
    fn nothing_is_answered_that_a_hanging_standby_has_not() {
        let mut pair = Pair::new();
        let server = Server::start(&pair.place, &["--database-wait-seconds", "1"]);
        let mut crowd = Crowd::new(SHOPPERS, &[&server], &pair.token);
        crowd.work(|| {
            await_answers(&server, DONE, SOME);
            pair.standby.server().pause().unwrap();
            await_answers(&server, UNKNOWN, 1);
            pair.lose_primary();
            await_answers(&server, DONE, SOME);
        });
        check(&pair.place, &server, &pair.token, &crowd, "after the standby hung and took over");
    }

    /// A primary that is started again shows what it had not yet passed on to its standby. To find an order there is not
    /// to know that it stays: neither for the server that looks for its batch, nor for who repeats a request. One shopper
    /// alone, so that nothing else is stored together with what is found.
    #[track_caller]
    fn restarted_primary(wait_seconds: &str, before: impl FnOnce(&Pair, &Server)) {
        let mut pair = Pair::new();
        let server = Server::start(&pair.place, &["--database-wait-seconds", wait_seconds]);
        let mut crowd = Crowd::new(1, &[&server], &pair.token);
        crowd.work(|| {
            await_answers(&server, DONE, 10);
            pair.standby.server().pause().unwrap();
            before(&pair, &server);
            pair.primary.kill().unwrap();
            pair.primary.start_again().unwrap();
            // Either the same command again, or the one after an answer that came too early.
            pair.await_waiting_commit();
            pair.lose_primary();
            await_answers(&server, DONE, 10);
        });
        check(&pair.place, &server, &pair.token, &crowd, "after the standby took over");
    }

    #[test]
    fn a_commit_that_is_found_waits_for_the_standby() {
        restarted_primary("25", |pair, _| pair.await_waiting_commit());
    }

    #[test]
    fn a_repeated_request_waits_for_the_standby() {
        restarted_primary("2", |_, server| await_answers(server, UNKNOWN, 1));
    }
}
