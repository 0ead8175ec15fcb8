//! What is particular to gRPC: the message, its framing, and what the answer changes.

use std::collections::HashMap;

use shared::config::OneOrMany;
use verifier::http::Endpoint;

use crate::support::call::{CHECK, CheckRequest, HttpRequest, HttpResponse, Kind, call, channel};
use crate::support::{Answer, Request, World};

const RULES: &str = "default = \"allow\"\n[[rule]]\npath = \"/me\"\nauthenticated = true\n";

async fn ask(world: &World, message: CheckRequest) -> Answer {
    let channel = channel(world.address()).await;
    call(channel, CHECK, message).await.unwrap().into()
}

/// As Envoy asks without `encode_raw_headers`.
fn joined(path: &str, headers: &[(&str, &str)]) -> CheckRequest {
    let pseudo = [(":method", "GET"), (":path", path), (":authority", "a.org")];
    let headers = pseudo.iter().chain(headers);
    CheckRequest::of(HttpRequest {
        method: "GET".to_owned(),
        path: path.into(),
        host: "a.org".to_owned(),
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..HttpRequest::default()
    })
}

/// Attack: two Authorization headers that Envoy has joined by a comma
/// Source: RFC 9110 section 5.3
/// Result: 401 `ambiguous_credentials`
#[tokio::test]
async fn joined_headers_will_do_where_nothing_was_joined() {
    let world = World::ready(RULES).await;
    let token = world.forge().token();
    let bearer = format!("Bearer {token}");
    let cookie = format!("a=b; __Host-access_token={token}");
    for (headers, verdict) in [
        (vec![("authorization", bearer.clone())], (200, "")),
        (vec![("cookie", cookie)], (200, "")),
        (vec![], (401, "missing")),
        (
            vec![("authorization", format!("{bearer},{bearer}"))],
            (401, "ambiguous_credentials"),
        ),
        (
            vec![("authorization", format!("Basic YTpi,{bearer}"))],
            (401, "ambiguous_credentials"),
        ),
        (
            vec![("authorization", bearer), (":path", "/open".to_owned())],
            (403, "request"),
        ),
    ] {
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = ask(&world, joined("/me", &headers)).await;
        assert_eq!(answer.verdict(), (verdict.0, verdict.1.to_owned()), "{headers:?}");
    }
}

/// Attack: a token in the joined headers of Envoy that is not in the raw ones
/// Source: CWE-345
/// Result: the raw ones decide
#[tokio::test]
async fn raw_headers_go_before_joined_ones() {
    let world = World::ready(RULES).await;
    let token = world.forge().token();
    let mut message = CheckRequest::about(&Request::about(Endpoint::Grpc, "GET", "/me"));
    message.http().headers = HashMap::from([("authorization".to_owned(), format!("Bearer {token}"))]);
    assert_eq!(ask(&world, message).await.status, 401);
}

#[tokio::test]
async fn who_it_is_is_told_as_metadata_too() {
    let world = World::ready(RULES).await;
    let forge = world.forge().roles(&["user", "editor"]);
    let request = Request::about(Endpoint::Grpc, "GET", "/me");
    let channel = channel(world.address()).await;
    let text = |text: &str| Some(Kind::Text(text.to_owned()));

    let message = CheckRequest::about(&request.clone().bearer(&forge.token()));
    let response = call(channel.clone(), CHECK, message).await.unwrap();
    let fields = response.dynamic_metadata.unwrap().fields;
    assert_eq!(fields["subject"].kind, text(forge.claim_text("sub")));
    assert_eq!(fields["session"].kind, text(forge.claim_text("sid")));
    assert_eq!(fields["superuser"].kind, Some(Kind::Bool(false)));
    let Some(Kind::List(roles)) = &fields["roles"].kind else {
        unreachable!("roles are a list");
    };
    let roles: Vec<_> = roles.values.iter().map(|role| role.kind.clone()).collect();
    assert_eq!(roles, [text("editor"), text("user")]);
    assert!(matches!(&fields["labels"].kind, Some(Kind::List(labels)) if labels.values.is_empty()));

    let refused = call(channel, CHECK, CheckRequest::about(&request)).await.unwrap();
    assert!(matches!(refused.http_response, Some(HttpResponse::Denied(_))));
    let fields = refused.dynamic_metadata.unwrap().fields;
    assert_eq!(fields["reason"].kind, text("missing"));
}

#[tokio::test]
async fn what_is_no_question_has_a_status_of_grpc() {
    let world = World::ready(RULES).await;
    let channel = channel(world.address()).await;
    let good = CheckRequest::about(&Request::about(Endpoint::Grpc, "GET", "/open"));

    let elsewhere = "/envoy.service.auth.v3.Authorization/Other";
    let refused = call(channel.clone(), elsewhere, good.clone()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unimplemented);
    let health = call(channel.clone(), "/grpc.health.v1.Health/Check", good.clone()).await;
    assert_eq!(health.unwrap_err().code(), tonic::Code::Unimplemented);

    let mut large = good.clone();
    large.http().id = "x".repeat(shared::limits::GRPC_MESSAGE_BYTES_MAX);
    let refused = call(channel.clone(), CHECK, large).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    let sample = "verifier_decisions_total{endpoint=\"grpc\",outcome=\"refused\",reason=\"request\"}";
    assert_eq!(world.metric(sample), Some(1.0));

    assert!(
        call(channel, CHECK, good).await.is_ok(),
        "the connection is what it was"
    );
    // Without HTTP/2 there are no trailers, and so no gRPC.
    let over_http_1 = Request::raw("POST", CHECK).header("Content-Type", "application/grpc");
    assert_eq!(world.ask(&over_http_1).await.status, 404);
}

#[tokio::test]
async fn a_route_can_have_browsers_sent_to_log_in() {
    let world = World::with(RULES, |settings| {
        settings.login_url = Some("https://issuer.example.org/login".to_owned());
        settings.allowed_return_hosts = OneOrMany(vec!["movies.example.org".to_owned()]);
    })
    .await;
    let request = Request::about(Endpoint::Grpc, "GET", "/me?a=b")
        .host(Endpoint::Grpc, "movies.example.org")
        .header("Accept", "text/html");
    let mut message = CheckRequest::about(&request);
    assert_eq!(ask(&world, message.clone()).await.status, 401);
    let attributes = message.attributes.as_mut().unwrap();
    attributes
        .context_extensions
        .insert("on_401".to_owned(), "redirect".to_owned());
    let answer = ask(&world, message).await;
    let expected = "https://issuer.example.org/login?return_to=https%3A%2F%2Fmovies.example.org%2Fme%3Fa%3Db";
    assert_eq!((answer.status, answer.header("location")), (302, Some(expected)));
}
