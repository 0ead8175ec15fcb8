use super::{POLL_EVERY, RedisServer, START_TIMEOUT};

/// Slots of a Cluster.
const SLOTS: usize = 16_384;

impl RedisServer {
    /// Starts so many masters that make a Cluster, each with an even share of the slots in order, with these lines
    /// at the end of their configuration.
    pub fn start_cluster_or_skip(test: &str, masters: usize, configuration: &str) -> Option<Vec<Self>> {
        let configuration = format!(
            "cluster-enabled yes\ncluster-port {{other_port}}\ncluster-node-timeout 2000\n\
             cluster-require-full-coverage no\n{configuration}"
        );
        let nodes: Vec<Self> = (0..masters)
            .map(|_| Self::start_or_skip(test, &configuration))
            .collect::<Option<_>>()?;
        for (position, node) in nodes.iter().enumerate() {
            let share = |position: usize| (position * SLOTS / masters).to_string();
            let last = ((position + 1) * SLOTS / masters - 1).to_string();
            expect_ok(node, &["CLUSTER", "ADDSLOTSRANGE", &share(position), &last]);
            // Epochs that differ from the start save the nodes an argument.
            expect_ok(
                node,
                &["CLUSTER", "SET-CONFIG-EPOCH", &(position + 1).to_string()],
            );
        }
        for node in nodes.iter().skip(1) {
            let ports = (node.port.to_string(), node.other_port.to_string());
            expect_ok(&nodes[0], &["CLUSTER", "MEET", "127.0.0.1", &ports.0, &ports.1]);
        }
        let mut waited = std::time::Duration::ZERO;
        while !nodes.iter().all(|node| knows_all(node, masters)) {
            assert!(waited < START_TIMEOUT, "the Cluster does not come together");
            std::thread::sleep(POLL_EVERY);
            waited += POLL_EVERY;
        }
        Some(nodes)
    }
}

fn expect_ok(node: &RedisServer, words: &[&str]) {
    let answer = node.command(words);
    assert_eq!(answer, "+OK", "{words:?}");
}

fn knows_all(node: &RedisServer, masters: usize) -> bool {
    let known = node.command(&["CLUSTER", "INFO"]);
    known.contains("cluster_state:ok")
        && known.contains(&format!("cluster_known_nodes:{masters}\r"))
        && known.contains(&format!("cluster_slots_assigned:{SLOTS}\r"))
}
