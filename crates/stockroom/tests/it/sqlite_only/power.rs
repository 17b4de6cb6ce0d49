//! Power cuts: what was answered is on the disk, and the disk makes sense.

use std::process::Command;
use std::sync::atomic::AtomicI64;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::rounds;
use super::trace::{Effect, Fault, strace, under};
use super::wrong::{self, Manner};
use crate::callers::{Caller, OPENING, furnish, history_of, look};
use crate::history::audit;
use crate::http::Client;
use crate::program::Place;
use crate::server::Server;

const CALLERS: u64 = 3;

/// Cuts after which a new shop is begun: looking at one takes longer with every order.
const CUTS_PER_SHOP: usize = 15;

/// What many cuts have come to.
#[derive(Debug, Default)]
struct Cuts {
    cuts: usize,
    answered: usize,
    unanswered: usize,
    /// Whether it had been done, was found by repeating it.
    found_done: usize,
    findings: Vec<String>,
}

/// A shop on a disk, and what its callers know.
struct Shop<'a> {
    disk: &'a Disk,
    place: Place,
    token: String,
    callers: Vec<Caller>,
    marks: AtomicI64,
}

impl<'a> Shop<'a> {
    fn on(disk: &'a Disk, seed: u64) -> Self {
        let data = disk.path().join(format!("shop-{seed}"));
        let place = Place::new().variable("STOCKROOM_DATA_DIR", data.to_str().unwrap());
        let token = furnish(&place, &[]);
        let callers = (1..=CALLERS).map(|nth| Caller::new((seed * 100 + nth) * 2 + 1).patient()).collect();
        Self { disk, place, token, callers, marks: AtomicI64::new(1) }
    }

    /// Works for a moment and cuts the power in the middle of it.
    fn work_and_cut(&mut self, server: Server, milliseconds: u64) {
        let (address, token, marks, disk) = (server.address, &self.token, &self.marks, self.disk);
        scope(|threads| {
            for caller in &mut self.callers {
                threads.spawn(|| caller.work(&mut Client::new(address).with_token(token), marks));
            }
            sleep(Duration::from_millis(milliseconds));
            // The server goes first: a sync that is under way when FS_IOC_SHUTDOWN comes may be answered as done by the
            // kernel, which no disk without power does. One that is under way now is still carried out, or never answered.
            server.kill();
            disk.cut_power();
        });
        disk.bring_back();
    }

    /// Holds what there is against what was told, and repeats what stayed open.
    fn settle(&mut self, server: &Server) -> Vec<String> {
        let mut client = server.client().with_token(&self.token);
        let mut findings = audit(&history_of(&self.callers), &look(&mut client), OPENING);
        if findings.is_empty() {
            self.callers.iter_mut().for_each(|caller| caller.repeat(&mut client));
            findings = audit(&history_of(&self.callers), &look(&mut client), OPENING);
        }
        findings
    }

    fn verify(&self) -> Vec<String> {
        let ran = self.place.run(&["verify"]);
        if ran.code == 0 { Vec::new() } else { vec![format!("{}{}", ran.answer, ran.errors)] }
    }
}

/// Cuts the power so many times, in as many shops as that takes. Each server is started by what `command` says.
fn cut_again_and_again(disk: &Disk, seed: u64, count: usize, command: impl Fn(&Place) -> Command) -> Cuts {
    let mut all = Cuts::default();
    let mut shop_number = seed;
    while all.cuts < count && all.findings.is_empty() {
        shop_number += 1;
        let mut shop = Shop::on(disk, shop_number);
        // Only what the callers do is at stake.
        disk.sync();
        let cuts = CUTS_PER_SHOP.min(count - all.cuts);
        for nth in 0..=cuts {
            let server = match Server::start_by(&shop.place, command(&shop.place)) {
                Ok(server) => server,
                Err(said) => {
                    all.findings.push(said);
                    break;
                }
            };
            if nth > 0 {
                all.unanswered +=
                    shop.callers.iter().filter(|it| it.sent.iter().any(|it| it.done.is_none())).count();
                all.findings.extend(shop.settle(&server));
            }
            // Also the last cut is looked at.
            if nth == cuts || !all.findings.is_empty() {
                break;
            }
            shop.work_and_cut(server, 20 + (shop_number * 31 + nth as u64 * 17) % 100);
            all.cuts += 1;
            all.findings.extend(shop.verify());
        }
        all.answered += history_of(&shop.callers).iter().filter(|sent| sent.done.is_some()).count();
        all.found_done += shop.callers.iter().map(|caller| caller.replayed).sum::<usize>();
    }
    all
}

/// The program as it is.
fn plain(place: &Place) -> Command {
    place.command(&Server::arguments(&[]))
}

#[test]
fn what_was_answered_survives_power_cuts() {
    let mut total = 0;
    for (nth, kind) in ["ext4", "xfs"].into_iter().enumerate() {
        let Some(disk) = Disk::new(kind, 512) else { continue };
        let began = Instant::now();
        let cuts = cut_again_and_again(&disk, 1_000 * nth as u64, rounds(8).div_ceil(2), plain);
        println!("{kind}: {cuts:?}, {:?}", began.elapsed());
        assert!(cuts.findings.is_empty(), "{:#?}", cuts.findings);
        assert!(cuts.answered > cuts.cuts, "hardly any load");
        total += cuts.cuts;
    }
    println!("torture power: {total} cuts, 0 lost, 0 corrupt");
}

/// The control: a server that answers a commit before it is synced, as SQLite does with `synchronous = NORMAL`. The
/// same server with FULL shows that this is what it takes.
#[test]
fn a_server_that_syncs_now_and_then_loses_what_it_answered() {
    let Some(disk) = Disk::new("ext4", 512) else { return };
    for (seed, manner) in [(7_000, Manner::Right), (8_000, Manner::SyncsNowAndThen)] {
        let cuts = cut_again_and_again(&disk, seed, 4, |place| wrong::command(place, manner));
        let Cuts { answered, findings, .. } = &cuts;
        println!("{manner:?}: {} cuts, {answered} answered, {} findings", cuts.cuts, findings.len());
        let is_lost = |finding: &String| finding.ends_with("was answered and is lost");
        let is_right = manner == Manner::Right;
        assert_eq!(!findings.iter().any(is_lost), is_right, "{findings:#?}");
        assert_eq!(findings.is_empty(), is_right, "{findings:#?}");
    }
}

/// Another control: syncs that are answered and not done, as with `synchronous = OFF`, or on a disk that lies.
#[test]
fn a_server_that_does_not_sync_loses_what_it_answered() {
    let (Some(strace), Some(disk)) = (strace(), Disk::new("ext4", 512)) else { return };
    let lie = Fault { call: "fsync", effect: Effect::Lie(0), nth: 1, for_good: true };
    let lying = |place: &Place| under(&strace, place, &plain(place), lie);
    let cuts = cut_again_and_again(&disk, 9_000, 20, lying);
    println!("{cuts:?}");
    assert!(!cuts.findings.is_empty());
}
