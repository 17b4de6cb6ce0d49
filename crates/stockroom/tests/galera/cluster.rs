//! Three nodes, and a Stockroom server on each.

use testbed::Galera;

use crate::callers::{furnish, look};
use crate::crowd::metric;
use crate::history::Found;
use crate::http::Client;
use crate::program::Place;
use crate::server::Server;

/// What all servers sign with.
pub(crate) const SECRET: &str = "the same secret for every server here";

pub(crate) const NODES: usize = 3;

/// A shop with a server on each node of a cluster, an administrator and some products.
pub(crate) struct Shop {
    pub(crate) servers: Vec<Server>,
    pub(crate) places: Vec<Place>,
    pub(crate) token: String,
}

/// A cluster of three nodes with a shop on it. The servers are to be dropped first.
#[track_caller]
pub(crate) fn open(flags: &[&str]) -> (Shop, Galera) {
    let galera = Galera::start(NODES).unwrap_or_else(|failure| panic!("{failure}"));
    let shop = Shop::on(&galera.urls("stockroom"), flags);
    (shop, galera)
}

impl Shop {
    /// One server for each of these URLs.
    #[track_caller]
    pub(crate) fn on(urls: &[String], flags: &[&str]) -> Self {
        let place = |url: &String| {
            Place::new()
                .variable("STOCKROOM_DATABASE_URL", url)
                .variable("STOCKROOM_SECRET", SECRET)
                .variable("STOCKROOM_ALLOW_UNSAFE_DATABASE", "true")
        };
        let places: Vec<Place> = urls.iter().map(place).collect();
        let token = furnish(&places[0], &[]);
        let servers = places.iter().map(|place| Server::start(place, flags)).collect();
        Self { servers, places, token }
    }

    pub(crate) fn all(&self) -> Vec<&Server> {
        self.servers.iter().collect()
    }

    /// A client of one of the servers, counted on from the last to the first.
    pub(crate) fn client(&self, server: usize) -> Client {
        self.servers[server % self.servers.len()].client().with_token(&self.token)
    }

    /// A client of each server, beginning with this one.
    pub(crate) fn clients(&self, first: usize) -> Vec<Client> {
        (0..self.servers.len()).map(|server| self.client(first + server)).collect()
    }

    /// What there is, which must be the same on every node, and sound.
    #[track_caller]
    pub(crate) fn look(&self) -> Found {
        let found = look(&mut self.client(0));
        for (node, place) in self.places.iter().enumerate() {
            let here = look(&mut self.client(node));
            assert!(here == found, "node {node} has {here:#?}, and node 0 has {found:#?}");
            place.run(&["verify"]).succeeded();
        }
        found
    }

    /// How often each server had to begin a batch anew because another one was faster.
    pub(crate) fn conflicts(&self) -> Vec<u64> {
        self.count("stockroom_commit_conflicts_total")
    }

    /// A number that each server counts.
    pub(crate) fn count(&self, name: &str) -> Vec<u64> {
        self.servers.iter().map(|server| metric(server, name)).collect()
    }

    /// What the servers have counted, in a line.
    pub(crate) fn summary(&self) -> String {
        let batches = self.count("stockroom_commit_batch_size_count");
        let commands = self.count("stockroom_commit_batch_size_sum");
        let lost = self.count("stockroom_commit_lost_connections_total");
        let found = self.count("stockroom_commit_outcomes_found_total");
        format!(
            "{commands:?} commands in {batches:?} batches, {:?} conflicts, {lost:?} lost connections, \
             {found:?} outcomes found",
            self.conflicts()
        )
    }
}
