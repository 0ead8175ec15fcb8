use prost::Message as _;

use super::*;
use crate::http::respond;
use crate::policy::{Ask, Caller, FilmVerdict, meet};

async fn message(answer: Answer) -> CheckResponse {
    use http_body_util::BodyExt;
    let collected = answer.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
    CheckResponse::decode(frame::unframe(collected.to_bytes()).unwrap()).unwrap()
}

fn pairs(options: &[HeaderValueOption]) -> Vec<(String, String)> {
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    options
        .iter()
        .map(|option| {
            assert!(option.keep_empty_value && option.append_action == 2);
            let header = option.header.as_ref().unwrap();
            (text(&header.key), text(&header.value))
        })
        .collect()
}

#[tokio::test]
async fn an_anonymous_caller_overwrites_every_identity_header() {
    let permitted = meet(&Ask::Nothing, Caller::ANONYMOUS)
        .unwrap()
        .permit(FilmVerdict::NotAsked)
        .unwrap();
    let response = message(admitted(
        &Answers::new("usher"),
        &Admitted {
            permitted,
            token: None,
            labels: http::HeaderValue::from_static("kids"),
        },
    ))
    .await;
    assert_eq!(response.status.unwrap().code, 0);
    let Some(HttpResponse::Ok(ok)) = response.http_response else {
        unreachable!("it is allowed");
    };
    let expected = ["subject", "session", "roles", "superuser", "labels"].map(|name| {
        let value = match name {
            "superuser" => "false",
            "labels" => "kids",
            _ => "",
        };
        (format!("x-auth-{name}"), value.to_owned())
    });
    assert_eq!(pairs(&ok.headers), expected);
}

#[tokio::test]
async fn each_refusal_is_that_of_http() {
    let answers = Answers::new("usher");
    let refusals = Refusals::new(&answers);
    for reason in Reason::ALL {
        let over_http = answers.refusal(reason).unwrap();
        let response = message(refusals.refused(reason)).await;
        assert_ne!(response.status.unwrap().code, 0, "{reason}");
        let Some(HttpResponse::Denied(denied)) = response.http_response else {
            unreachable!("it is refused");
        };
        assert_eq!(denied.status.unwrap().code, i32::from(reason.status().as_u16()));
        assert_eq!(denied.body, over_http.body);
        let headers: Vec<_> = over_http
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        assert_eq!(pairs(&denied.headers), headers, "{reason}");
    }
}

#[tokio::test]
async fn a_redirect_is_a_denial_too() {
    let location = http::HeaderValue::from_static("https://a.org/");
    let response = message(redirect(Reason::Missing, &respond::redirect(location))).await;
    let Some(HttpResponse::Denied(denied)) = response.http_response else {
        unreachable!("it is refused");
    };
    assert_eq!(denied.status.unwrap().code, 302);
    assert!(pairs(&denied.headers).contains(&("location".to_owned(), "https://a.org/".to_owned())));
}
