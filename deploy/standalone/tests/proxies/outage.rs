//! The verifier goes away, or falls silent, and comes back.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::timeout;

use crate::client::{Answer, Ask};
use crate::front_end::{FrontEnd, Kind};
use crate::process::{LOOK_EVERY, START_TIMEOUT};
use crate::stand::{RULES, Stand, free_address};

/// A client is told within this time that nobody decides. The configurations give the verifier two seconds.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// Attack: the verifier is away
/// Source: CWE-636
/// Result: each proxy refuses
#[tokio::test]
async fn nobody_gets_in_while_nobody_decides() {
    let mut stand = Stand::start(&Kind::ALL, RULES).await;
    // Connections to the verifier that are kept from better times are among what has to fail well.
    for front_end in &stand.front_ends {
        assert_eq!(front_end.send(&Ask::get("/open")).await.status, 200);
    }
    stand.verifier.as_ref().unwrap().signal(Signal::STOP);
    are_undecided(&stand, "silent").await;
    stand.verifier.as_ref().unwrap().signal(Signal::CONT);
    are_back(&stand).await;

    stand.verifier.take().unwrap().end(Signal::TERM);
    are_undecided(&stand, "away").await;
    stand.start_verifier().await;
    are_back(&stand).await;

    stand.verifier.take().unwrap().end(Signal::KILL);
    are_undecided(&stand, "killed").await;
    stand.start_verifier().await;
    are_back(&stand).await;
}

#[tokio::test]
async fn a_verifier_that_cannot_decide_says_so_itself() {
    let mut stand = Stand::start(&Kind::ALL, RULES).await;
    stand.verifier.take().unwrap().end(Signal::TERM);
    stand.start_verifier_with_keys_at(free_address().await);
    are_back(&stand).await;
    stand.echo.take_seen();
    let ask = Ask::get("/open").bearer(&stand.forge().token());
    for front_end in &stand.front_ends {
        let (kind, answer) = (front_end.kind, front_end.send(&ask).await);
        assert_eq!(answer.status, 503, "{kind}: {answer:?}");
        assert_eq!(answer.header("retry-after"), "1", "{kind}: {answer:?}");
        // nginx throws the body of an answer away, and Envoy over HTTP takes any 5xx for an error.
        assert!(
            matches!(kind, Kind::Nginx | Kind::EnvoyHttp) || answer.body.contains("no_keys"),
            "{kind}: {answer:?}"
        );
        assert!(stand.echo.take_seen().is_empty(), "{kind}");
    }
}

async fn are_undecided(stand: &Stand, state: &str) {
    stand.echo.take_seen();
    let token = stand.forge().claim("superuser", true).token();
    for ask in [Ask::get("/open"), Ask::get("/admin").bearer(&token)] {
        for front_end in &stand.front_ends {
            let kind = front_end.kind;
            let answer = timeout(TOLD_WITHIN, front_end.send(&ask)).await;
            let answer = answer.unwrap_or_else(|_| panic!("{kind}, verifier {state}: nobody is told"));
            assert_eq!(answer.status, 503, "{kind}, verifier {state}: {answer:?}");
            assert_eq!(retry_after(front_end, &answer), "1", "{kind}: {answer:?}");
            assert!(stand.echo.take_seen().is_empty(), "{kind}");
        }
    }
}

/// Traefik puts the status of its own answer right, and no header.
fn retry_after<'a>(front_end: &FrontEnd, answer: &'a Answer) -> &'a str {
    match front_end.kind {
        Kind::Traefik => "1",
        Kind::Nginx | Kind::HaProxy | Kind::Caddy | Kind::EnvoyHttp | Kind::EnvoyGrpc => {
            answer.header("retry-after")
        }
    }
}

async fn are_back(stand: &Stand) {
    for front_end in &stand.front_ends {
        let mut waited = Duration::ZERO;
        while front_end.send(&Ask::get("/open")).await.status != 200 {
            assert!(waited < START_TIMEOUT, "{} is not back", front_end.kind);
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
        assert_eq!(front_end.send(&Ask::get("/admin")).await.status, 401);
    }
}
