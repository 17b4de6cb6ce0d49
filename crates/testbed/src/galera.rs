//! A cluster of MariaDB servers that all take writes.

use std::env;
use std::path::Path;

use crate::programs::{Kind, Product};
use crate::server::Server;
use crate::{Failure, ports};

/// Where distributions put Galera's library.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/galera/libgalera_smm.so",
    "/usr/lib/galera-4/libgalera_smm.so",
    "/usr/lib64/galera-4/libgalera_smm.so",
    "/usr/lib64/galera/libgalera_smm.so",
];

/// MariaDB servers that form one Galera cluster. A node flushes its log once a second; what a killed one loses of
/// it, the others have.
#[derive(Debug)]
pub struct Galera {
    nodes: Vec<Server>,
}

impl Galera {
    /// Starts a cluster of so many nodes, with an empty database called `stockroom`, and waits until all are in step.
    ///
    /// # Errors
    /// MariaDB, Galera or what it copies nodes with is not installed, or a node did not join; then with the end of
    /// its log.
    pub fn start(nodes: usize) -> Result<Self, String> {
        let library = library()?;
        let mut members = Vec::with_capacity(nodes);
        for _ in 0..nodes {
            members.push((Server::new(&env::temp_dir(), Kind::MariaDb, false)?, ports::free()?));
        }
        let addresses: Vec<String> = members.iter().map(|(_, port)| format!("127.0.0.1:{port}")).collect();
        let cluster = format!("gcomm://{}", addresses.join(","));

        let mut started = Vec::with_capacity(nodes);
        for (mut server, port) in members {
            if server.programs().product != Product::MariaDb {
                return Err(format!("{} has no Galera; {} is needed", server.title(), Kind::MariaDb.name()));
            }
            server.initialise()?;
            server.awaited = Some(("SHOW STATUS LIKE 'wsrep_local_state_comment'", "\tSynced"));
            server.options = options(library, &cluster, port)?;
            if started.is_empty() {
                server.options.push("--wsrep-new-cluster".to_owned());
                server.launch_on_any_port()?;
                server.create_database()?;
                // When it is started again, it joins the others.
                server.options.pop();
            } else {
                server.launch_on_any_port()?;
            }
            started.push(server);
        }
        Ok(Self { nodes: started })
    }

    /// The URLs of a database, one of each node.
    #[must_use]
    pub fn urls(&self, database: &str) -> Vec<String> {
        self.nodes.iter().map(|node| node.url(database)).collect()
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> &[Server] {
        &self.nodes
    }

    /// Starts a stopped or killed node again, as the service of a distribution does: with what it has, if it has
    /// anything, so that the others need to send only what it missed. At least one of them must run. It is up when it is
    /// in step with them.
    ///
    /// # Errors
    /// It runs, or it did not come up; then with the end of its log.
    pub fn start_again(&mut self, node: usize) -> Result<(), String> {
        let server = self.nodes.get_mut(node).ok_or_else(|| format!("there is no node {node}"))?;
        // One that was killed from outside may have left processes behind.
        server.kill()?;
        let position = server.recovered_position()?;
        server.options.push(format!("--wsrep-start-position={position}"));
        let started = server.start_again();
        server.options.pop();
        started
    }

    /// The nodes, to stop or kill one of them. One that is started again by itself throws its data away and takes a copy
    /// of another's.
    pub fn nodes_mut(&mut self) -> &mut [Server] {
        &mut self.nodes
    }
}

impl Server {
    /// How far a node that does not run has come, as its storage tells.
    fn recovered_position(&self) -> Result<String, Failure> {
        let mut command = self.command()?;
        self.run_to_its_end(command.arg("--wsrep-recover"))?;
        let log = self.directory.log_tail();
        let position = log.rsplit_once("Recovered position: ").and_then(|(_, rest)| rest.lines().next());
        position.map(|position| position.trim().to_owned()).ok_or_else(|| format!("no position in\n{log}"))
    }
}

/// Finds the library, and the programs by which a new node is copied from another.
fn library() -> Result<&'static str, Failure> {
    let packages = "the Debian packages mariadb-server, galera-4, rsync, lsof and iproute2";
    let library = LIBRARIES.into_iter().find(|file| Path::new(file).exists());
    let library = library.ok_or_else(|| format!("Galera is not installed; {packages} bring it"))?;
    let on_path = |name: &str| {
        crate::programs::search_path(&["/usr/bin", "/usr/sbin"])
            .iter()
            .any(|place| place.join(name).is_file())
    };
    for program in ["wsrep_sst_rsync", "rsync", "ip"] {
        if !on_path(program) {
            return Err(format!("Galera copies nodes with {program}, which is missing; {packages} bring it"));
        }
    }
    if !on_path("lsof") && !on_path("ss") {
        return Err(format!(
            "Galera looks for open ports with lsof or ss, which are missing; {packages} bring them"
        ));
    }
    Ok(library)
}

/// What makes a server a node of the cluster: ports of its own for messages, for what it missed and for whole copies.
fn options(library: &str, cluster: &str, port: u16) -> Result<Vec<String>, Failure> {
    let (missed, copy) = (ports::free()?, ports::free()?);
    Ok(vec![
        "--wsrep-on=ON".to_owned(),
        format!("--wsrep-provider={library}"),
        format!("--wsrep-cluster-address={cluster}"),
        "--wsrep-cluster-name=stockroom".to_owned(),
        format!("--wsrep-node-name=node_{port}"),
        format!("--wsrep-node-address=127.0.0.1:{port}"),
        "--wsrep-sst-method=rsync".to_owned(),
        format!("--wsrep-sst-receive-address=127.0.0.1:{copy}"),
        format!(
            "--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{port};\
             ist.recv_addr=127.0.0.1:{missed};gcache.size=32M"
        ),
        "--binlog-format=ROW".to_owned(),
        "--innodb-autoinc-lock-mode=2".to_owned(),
    ])
}
