//! Callers as there should be many: they send every command under a key, and repeat it under that key until they know
//! what became of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::callers::PRODUCTS;
use crate::history::{Ask, Sent};
use crate::http::{Answer, Client};

/// The mark of the next order.
#[derive(Default)]
pub(crate) struct Marks(AtomicI64);

impl Marks {
    fn next(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// How requests were answered.
#[derive(Debug, Default, Clone)]
pub(crate) struct Answers {
    /// How many, by status; 0 stands for none.
    pub(crate) counts: BTreeMap<u16, usize>,
    /// The longest that one took.
    pub(crate) longest: Duration,
    /// What was answered as nothing should be.
    pub(crate) wrong: Vec<String>,
}

impl Answers {
    /// Notes an answer. Success, and to be told to come again, is right.
    pub(crate) fn note(&mut self, what: &str, answer: Option<&Answer>, took: Duration) {
        let status = answer.map_or(0, |answer| answer.status);
        *self.counts.entry(status).or_default() += 1;
        self.longest = self.longest.max(took);
        let Some(answer) = answer else { return };
        let is_right = match status {
            200 | 201 => true,
            503 | 504 => answer.retry_after.is_some(),
            // Its own first attempt is still under way.
            409 => is_in_progress(answer),
            _ => false,
        };
        if !is_right {
            self.wrong.push(format!("{what}: {} {}", status, answer.text));
        }
    }

    /// Reads these, one after another and again and again, until it is over.
    pub(crate) fn of_reads(client: &mut Client, paths: [&str; 4], is_over: &AtomicBool) -> Self {
        let mut answers = Self::default();
        for path in paths.into_iter().cycle() {
            if is_over.load(Ordering::SeqCst) {
                break;
            }
            let asked = Instant::now();
            let answer = client.send("GET", path, None, None).ok();
            answers.note(path, answer.as_ref(), asked.elapsed());
            sleep(Duration::from_millis(5));
        }
        answers
    }

    pub(crate) fn count(&self, status: u16) -> usize {
        self.counts.get(&status).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (status, count) in &other.counts {
            *self.counts.entry(*status).or_default() += count;
        }
        self.longest = self.longest.max(other.longest);
        self.wrong.extend(other.wrong.iter().cloned());
    }
}

/// One caller with what it was told. What was refused for good has never been sent, as far as it is concerned.
pub(crate) struct Shopper {
    random: u64,
    /// Its orders that are not cancelled: mark and number.
    open: Vec<(i64, i64)>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) answers: Answers,
    requests: usize,
    /// How many commands turned out to be done when they were repeated.
    pub(crate) found_done: usize,
    /// Its servers; it goes to another when one does not answer.
    clients: Vec<Client>,
}

impl Shopper {
    pub(crate) fn new(number: u64, servers: &[SocketAddr], token: &str) -> Self {
        Self {
            random: (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            open: Vec::new(),
            sent: Vec::new(),
            answers: Answers::default(),
            requests: 0,
            found_done: 0,
            clients: servers.iter().map(|server| Client::new(*server).with_token(token)).collect(),
        }
    }

    /// So many of them.
    pub(crate) fn crowd(size: u64, servers: &[SocketAddr], token: &str) -> Vec<Self> {
        (0..size).map(|number| Self::new(number, servers, token)).collect()
    }

    /// Goes to these servers from now on.
    pub(crate) fn go_to(&mut self, servers: &[SocketAddr], token: &str) {
        self.clients = servers.iter().map(|server| Client::new(*server).with_token(token)).collect();
    }

    /// A number from 0 to `limit - 1`; xorshift.
    fn below(&mut self, limit: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 1).unwrap() % limit
    }

    /// What to do next: mostly to order several products, in any order.
    fn think(&mut self, marks: &Marks) -> Ask {
        let quantity = i64::try_from(1 + self.below(9)).unwrap();
        let product = 2 + i64::try_from(self.below(usize::try_from(PRODUCTS).unwrap() - 1)).unwrap();
        let one = self.below(self.open.len().max(1));
        match (self.below(10), self.open.get(one).copied()) {
            (5 | 6, Some((mark, id))) => Ask::Confirm(mark, id),
            (7, Some((mark, id))) => Ask::Cancel(mark, id),
            (8, _) => Ask::Increment(product, quantity),
            (9, _) => Ask::Decrement(product, quantity),
            _ => {
                let mut others: Vec<i64> = (2..=PRODUCTS).collect();
                for end in (1..others.len()).rev() {
                    others.swap(end, self.below(end + 1));
                }
                others.truncate(1 + self.below(others.len()));
                let lines = others.into_iter().map(|id| (id, quantity));
                Ask::Place([(1, marks.next())].into_iter().chain(lines).collect())
            }
        }
    }

    /// Thinks of something and has it done.
    pub(crate) fn act(&mut self, marks: &Marks) {
        let ask = self.think(marks);
        self.open.retain(|order| !matches!(ask, Ask::Cancel(mark, _) if mark == order.0));
        let key = format!("{:x}-{}", self.random, self.sent.len());
        if let Some(done) = self.deliver(&ask, &key) {
            if let Ask::Place(lines) = &ask {
                self.open.push((lines[0].1, done["order_id"].as_i64().unwrap()));
            }
            self.sent.push(Sent { key, ask, done: Some(done) });
        }
    }

    /// Sends a command until it is known what became of it: its answer, or nothing when it was not carried out.
    fn deliver(&mut self, ask: &Ask, key: &str) -> Option<Value> {
        let (path, body) = ask.request();
        let (began, mut in_doubt) = (Instant::now(), false);
        loop {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "{ask:?} is never answered: {:?}",
                self.answers
            );
            self.requests += 1;
            let asked = Instant::now();
            let server = self.requests % self.clients.len();
            let answer = self.clients[server].send("POST", &path, Some(key), body.as_ref()).ok();
            self.answers.note(&path, answer.as_ref(), asked.elapsed());
            match answer {
                Some(answer) if matches!(answer.status, 200 | 201) => {
                    self.found_done += usize::from(answer.is_replayed);
                    return Some(serde_json::from_str(&answer.text).unwrap());
                }
                Some(answer) if answer.status == 503 && !in_doubt => return None,
                // Only now is nothing known, and from now on nothing but an answer tells.
                Some(answer) if answer.status == 504 => in_doubt = true,
                // Carried out elsewhere right now, under the same key.
                Some(answer) if is_in_progress(&answer) => {}
                Some(answer) if answer.status != 503 => {
                    panic!("{ask:?} was answered {} {}", answer.status, answer.text)
                }
                Some(_) => {}
                None => in_doubt = true,
            }
            sleep(Duration::from_millis(20));
        }
    }
}

fn is_in_progress(answer: &Answer) -> bool {
    answer.status == 409 && answer.text.contains("IDEMPOTENCY_IN_PROGRESS")
}

/// All that was sent and done; the commands of one order are its caller's and so in order.
pub(crate) fn history_of(shoppers: &[Shopper]) -> Vec<Sent> {
    shoppers.iter().flat_map(|shopper| shopper.sent.iter().cloned()).collect()
}

/// How all requests of these callers were answered.
pub(crate) fn answers_of(shoppers: &[Shopper]) -> Answers {
    let mut all = Answers::default();
    shoppers.iter().for_each(|shopper| all.add(&shopper.answers));
    all
}
