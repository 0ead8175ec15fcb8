//! The signing keys are rotated while people come and go, and one of them is revoked.

use std::thread;

use serde_json::Value;
use shared::encoding::base64url_decode;
use tokio::time::{Instant, sleep};

use crate::drill::{SOON, drill, single, within};
use crate::load::access_token;
use crate::world::{self, Issuer, SIGNED_IN, Verdict, World};

const ROTATIONS: usize = 5;

/// How long a verdict that must not change is watched.
const WATCHED: std::time::Duration = std::time::Duration::from_secs(2);

/// Whoever signs a token names its key.
fn kid(token: &str) -> String {
    let header = base64url_decode(token.split('.').next().unwrap().as_bytes()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// The key that signs, as an issuer's operator sees it.
fn active(issuer: &Issuer) -> String {
    let listed = issuer.operate(&["keys", "list"]);
    let mut active = listed.lines().filter(|line| line.contains(" active "));
    let line = active.next().unwrap();
    assert!(active.next().is_none(), "one key signs: {listed}");
    line.split_whitespace().next().unwrap().to_owned()
}

async fn sign_up(world: &World, issuer: usize) -> String {
    let login = format!("k{:032x}", u128::from_be_bytes(shared::crypto::random::bytes()));
    access_token(world, issuer, "/api/v1/user", &login).await.unwrap()
}

/// No token is refused over it: a drill counts each that is as a violation.
#[test]
fn the_signing_keys_are_rotated_under_load() {
    drill(
        single("the signing keys are rotated, five times"),
        async |drill| {
            let issuers = &drill.world.issuers;
            for _ in 0..ROTATIONS {
                let before = active(&issuers[0]);
                // Both operators at once: it is one rotation.
                let said = thread::scope(|scope| {
                    let asked = issuers
                        .each_ref()
                        .map(|issuer| scope.spawn(|| issuer.operate(&["keys", "rotate"])));
                    asked.map(|asked| asked.join().unwrap())
                });
                let [next, same] = said.map(|said| said.split_whitespace().next().unwrap().to_owned());
                assert_eq!(next, same);
                assert_ne!(next, before);
                let signs = async {
                    while kid(&sign_up(&drill.world, 0).await) != next
                        || kid(&sign_up(&drill.world, 1).await) != next
                    {
                        sleep(world::process::LOOK_EVERY).await;
                    }
                };
                within(SOON, "the next key signs", signs).await;
                assert_eq!(active(&issuers[1]), next);
                drill.revocations(10).await;
            }
            let retired = issuers[0].operate(&["keys", "list"]).matches(" retired ").count();
            assert!(
                retired >= ROTATIONS,
                "a key stays published while its tokens live"
            );
        },
    );
}

#[test]
fn a_revoked_key_is_refused_at_every_edge() {
    let test = "a signing key is revoked";
    if !world::is_possible(test) {
        return;
    }
    let lent = world::runtime().block_on(world::lend());
    world::runtime().block_on(revoke_active(&lent.world));
    lent.give_back();
}

async fn revoke_active(world: &World) {
    let old = sign_up(world, 0).await;
    for verifier in &world.verifiers {
        assert_eq!(
            verifier.ask(&world.client, SIGNED_IN, Some(&old)).await,
            Verdict::Admitted
        );
    }
    let said = world.issuers[0].operate(&["keys", "revoke", &kid(&old)]);
    let successor = active(&world.issuers[1]);
    assert!(said.contains(&format!("{successor} signs from now on")), "{said}");

    // The issuers ask their database; they know at once, and sign with the other key.
    for issuer in 0..2 {
        let address = world.issuers[issuer].address().unwrap();
        let me = world
            .client
            .get(format!("http://{address}/api/v1/user/me"))
            .bearer_auth(&old);
        assert_eq!(me.send().await.unwrap().status(), 401);
        let new = sign_up(world, issuer).await;
        assert_eq!(kid(&new), successor);
        for verifier in &world.verifiers {
            let heard = async {
                while !matches!(
                    verifier.ask(&world.client, SIGNED_IN, Some(&old)).await,
                    Verdict::Refused(_)
                ) {}
                // It knows no such key until it has fetched it.
                while verifier.ask(&world.client, SIGNED_IN, Some(&new)).await != Verdict::Admitted {}
            };
            within(
                SOON,
                "every verifier refuses the old key and takes the new one",
                heard,
            )
            .await;
        }
    }
    let until = Instant::now() + WATCHED;
    while Instant::now() < until {
        for verifier in &world.verifiers {
            let verdict = verifier.ask(&world.client, SIGNED_IN, Some(&old)).await;
            assert!(matches!(verdict, Verdict::Refused(_)), "{verdict:?}");
        }
    }
}
