//! What a request for a token that was seen before takes from the allocator.

use allocation_counter::{AllocationInfo, measure};
use http::Request;
use http_body_util::Empty;
use tower::Service as _;

use super::films::{PREMIUM, at};
use super::*;
use crate::http::grpc::render::Refusals;
use crate::http::respond::Answers;
use crate::http::{Authz, Context};
use crate::metrics::DecisionCounts;

/// What one answer takes, after those before it have warmed up what is kept.
fn of_one(mut answer: impl FnMut()) -> AllocationInfo {
    for _ in 0..10 {
        answer();
    }
    measure(answer)
}

#[test]
fn deciding_about_a_known_token_allocates_nothing() {
    let world = World::with_labels();
    let subscriber = world.forge().roles(&["user", "subscriber"]).token();
    let superuser = world.forge().claim("superuser", true).token();
    let labelled = at("films", PREMIUM);
    for token in [&subscriber, &superuser] {
        for path in ["/", "/stale", &labelled] {
            for credentials in [
                Credentials::Bearer(token),
                Credentials::Cookie(token),
                Credentials::None,
            ] {
                let asked = question(path, credentials);
                let is_admitted = !(path == labelled && credentials == Credentials::None);
                let used = of_one(|| assert_eq!(world.ask_with(&asked).is_ok(), is_admitted));
                assert_eq!(used.count_total, 0, "{path}: {used:?}");
            }
        }
    }
}

#[test]
fn an_answer_allocates_what_its_headers_stand_in_and_no_more() {
    let world = World::with_labels();
    let token = world.forge().roles(&["user", "subscriber"]).token();
    let path = at("films", PREMIUM);
    let answers = Answers::new("movies");
    let context = Context {
        pipeline: Arc::new(world.pipeline),
        grpc_refusals: Refusals::new(&answers),
        answers,
        cookie: "__Host-access_token".into(),
        allowed_origins: ["https://movies.example.org".into()].into(),
        redirect: None,
        decisions: DecisionCounts::new(),
    };
    let mut authz = Authz::new(Arc::new(context), true);
    let mut requests: Vec<_> = (0..11)
        .map(|_| {
            Request::get("/authz/auth-request")
                .header("x-original-method", "GET")
                .header("x-original-uri", &path)
                .header("x-original-host", "movies.example.org")
                .header("authorization", format!("Bearer {token}"))
                .body(Empty::<Bytes>::new())
                .unwrap()
        })
        .collect();
    let mut answered = None;
    let used = of_one(|| {
        let request = requests.pop().unwrap();
        answered = Some(authz.call(request));
    });
    let answer = world.runtime.block_on(answered.unwrap()).unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers().len(), 6);
    // Of a map of headers: the index and the values.
    assert_eq!(used.count_total, 2, "{used:?}");
}
