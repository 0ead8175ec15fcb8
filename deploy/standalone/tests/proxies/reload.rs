//! The rules change a hundred times while requests are being decided.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::client::Ask;
use crate::front_end::Kind;
use crate::process::{LOOK_EVERY, START_TIMEOUT};
use crate::stand::Stand;

const CHANGES: usize = 100;
const CLIENTS: usize = 4;

/// `/turning` is open or closed; what is about the others stays the same, at other places of the file.
fn rules(change: usize) -> String {
    let turning = if change.is_multiple_of(2) {
        "[[rule]]\npath = \"/turning\"\nanonymous = true\n"
    } else {
        "[[rule]]\npath = \"/turning\"\nauthenticated = true\n"
    };
    let others = "[[rule]]\npath = \"/open/{*rest}\"\nanonymous = true\n\
                  [[rule]]\npath = \"/admin/{*rest}\"\nroles = [\"admin\"]\n";
    let mut padding = String::new();
    for n in 0..change {
        write!(
            padding,
            "[[rule]]\npath = \"/padding/{n}\"\nroles = [\"nobody\"]\n"
        )
        .unwrap();
    }
    format!("# {change}\ndefault = \"deny\"\n{padding}{turning}{others}")
}

const fn status(change: usize) -> u16 {
    if change.is_multiple_of(2) { 200 } else { 401 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_changes_of_the_rules_fail_nobody() {
    let kind = if Kind::HaProxy.find().is_some() {
        Kind::HaProxy
    } else {
        Kind::Nginx
    };
    let stand = Stand::start(
        &[kind],
        &format!("{}[[rule]]\npath=\"/open/ready\"\nanonymous=true\n", rules(0)),
    )
    .await;
    let Some(front_end) = stand.front_ends.first() else {
        return;
    };
    let is_done = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let token = stand.forge().token();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let load = load(
                front_end.address,
                token.clone(),
                Arc::clone(&is_done),
                Arc::clone(&asked),
            );
            tokio::spawn(load)
        })
        .collect();
    let file = stand.folder.path().join("rules.toml");
    let mut in_force = stand.metric("verifier_rules_generation").await;
    for change in 1..=CHANGES {
        let beside = file.with_extension("new");
        std::fs::write(&beside, rules(change)).unwrap();
        std::fs::rename(&beside, &file).unwrap();
        let mut waited = Duration::ZERO;
        while stand.metric("verifier_rules_generation").await == in_force {
            assert!(waited < START_TIMEOUT, "change {change} is not in force");
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
        in_force = stand.metric("verifier_rules_generation").await;
        let answer = front_end.send(&Ask::get("/turning")).await;
        assert_eq!(answer.status, status(change), "change {change}: {answer:?}");
    }
    is_done.store(true, Ordering::Release);
    for client in clients {
        client.await.unwrap();
    }
    let asked = asked.load(Ordering::Acquire);
    assert!(asked > CHANGES, "there was hardly any load: {asked} requests");
    eprintln!("{asked} requests through {kind} under {CHANGES} changes of the rules");
}

/// Asks what no change is about, and what every change turns.
async fn load(front_end: SocketAddr, token: String, is_done: Arc<AtomicBool>, asked: Arc<AtomicUsize>) {
    let turning = Ask::get("/turning");
    let steady = [
        (Ask::get("/open/a"), 200),
        (Ask::get("/admin/a"), 401),
        (Ask::get("/admin/a").bearer(&token), 403),
        (Ask::get("/elsewhere"), 401),
    ];
    while !is_done.load(Ordering::Acquire) {
        for (ask, status) in &steady {
            let answer = ask.send(front_end).await;
            assert_eq!(answer.status, *status, "{ask:?}: {answer:?}");
        }
        let answer = turning.send(front_end).await;
        assert!(matches!(answer.status, 200 | 401), "{answer:?}");
        asked.fetch_add(steady.len() + 1, Ordering::AcqRel);
    }
}
