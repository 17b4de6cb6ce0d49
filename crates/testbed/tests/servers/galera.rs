//! Three MariaDB servers that form a cluster.

use testbed::Galera;

#[test]
fn what_one_node_commits_the_others_have_and_a_killed_node_joins_again() {
    let mut cluster = Galera::start(3).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(cluster.urls("shop").len(), 3);
    let nodes = cluster.nodes();
    nodes[0].query("stockroom", "CREATE TABLE kept (id INT PRIMARY KEY)").expect("a table");
    for (id, node) in nodes.iter().enumerate() {
        node.query("stockroom", &format!("INSERT INTO kept VALUES ({id})")).expect("a row");
    }
    for node in nodes {
        assert_eq!(count(node).as_deref(), Ok("3\n"));
    }

    // The first one founded the cluster and must not found another.
    for killed in [0, 2] {
        cluster.nodes_mut()[killed].kill().expect("its end");
        let id = 10 + killed;
        cluster.nodes()[1].query("stockroom", &format!("INSERT INTO kept VALUES ({id})")).expect("a row");
        cluster.start_again(killed).expect("the same node");
        assert_eq!(count(&cluster.nodes()[killed]), count(&cluster.nodes()[1]));
    }
    assert_eq!(count(&cluster.nodes()[2]).as_deref(), Ok("5\n"));
}

/// The rows, once the node has everything that was committed before.
fn count(node: &testbed::Server) -> Result<String, String> {
    node.query("stockroom", "SET SESSION wsrep_sync_wait = 1; SELECT count(*) FROM kept")
}
