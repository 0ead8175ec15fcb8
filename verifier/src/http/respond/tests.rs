use http_body_util::BodyExt;
use serde_json::Value;

use super::*;
use crate::policy::{Ask, Caller, FilmVerdict, meet};

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

async fn body(answer: Answer) -> Value {
    serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

#[test]
fn an_anonymous_caller_is_told_apart_by_every_header_being_there() {
    let permitted = meet(&Ask::Nothing, Caller::ANONYMOUS)
        .unwrap()
        .permit(FilmVerdict::NotAsked)
        .unwrap();
    let answer = Answers::new("usher").admitted(&Admitted {
        permitted,
        token: None,
        labels: HeaderValue::from_static("kids"),
    });
    assert_eq!(answer.status(), StatusCode::OK);
    for (name, value) in [
        ("x-auth-subject", ""),
        ("x-auth-session", ""),
        ("x-auth-roles", ""),
        ("x-auth-superuser", "false"),
        ("x-auth-labels", "kids"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(header(&answer, name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn each_refusal_says_its_reason_everywhere_alike() {
    let answers = Answers::new("movies");
    for reason in Reason::ALL {
        let answer = answers.refused(reason);
        assert_eq!(answer.status(), reason.status(), "{reason}");
        assert_eq!(header(&answer, "cache-control"), Some("no-store"));
        assert_eq!(header(&answer, "content-type"), Some(MEDIA_TYPE));
        assert_eq!(header(&answer, "retry-after").is_some(), reason.status() == 503);
        assert_eq!(header(&answer, "x-auth-reason"), Some(reason.as_str()));
        assert!(header(&answer, "x-auth-subject").is_none());
        let challenge = header(&answer, "www-authenticate").map(ToOwned::to_owned);
        match reason {
            Reason::Missing => assert_eq!(challenge.as_deref(), Some("Bearer realm=\"movies\"")),
            Reason::Role | Reason::Label | Reason::Denied => {
                let start = format!(
                    "Bearer realm=\"movies\", error=\"insufficient_scope\", error_description=\"{reason}: "
                );
                assert!(challenge.unwrap().starts_with(&start), "{reason}");
            }
            _ if reason.status() == 401 => {
                let start = format!(
                    "Bearer realm=\"movies\", error=\"invalid_token\", error_description=\"{reason}: "
                );
                assert!(challenge.unwrap().starts_with(&start), "{reason}");
            }
            _ => assert_eq!(challenge, None, "{reason}"),
        }
        let body = body(answer).await;
        assert_eq!(
            (&body["reason"], &body["status"]),
            (&reason.as_str().into(), &reason.status().as_u16().into())
        );
        assert!(body["type"].as_str().unwrap().starts_with("/problems/"));
    }
}

#[tokio::test]
async fn an_unknown_path_is_a_problem_too() {
    let answer = Answers::new("usher").not_found();
    assert_eq!(
        (answer.status(), header(&answer, "cache-control")),
        (StatusCode::NOT_FOUND, Some("no-store"))
    );
    assert_eq!(body(answer).await["type"], "/problems/not-found");
}
