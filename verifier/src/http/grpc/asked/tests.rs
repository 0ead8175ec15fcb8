use shared::host::CanonicalHost;

use super::*;
use crate::http::grpc::message::{Entry, RawHeader, RawHeaders, RequestAttributes};

fn message(http: HttpRequest) -> CheckRequest {
    CheckRequest {
        attributes: Some(AttributeContext {
            request: Some(RequestAttributes { http: Some(http) }),
            context_extensions: Vec::new(),
        }),
    }
}

fn http(raw: &[(&str, &str)], joined: &[(&str, &str)]) -> HttpRequest {
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let headers = raw.iter().map(|(name, value)| RawHeader {
        key: text(name),
        raw_value: text(value),
        ..RawHeader::default()
    });
    let entries = joined.iter().map(|(name, value)| Entry {
        key: text(name),
        value: text(value),
    });
    HttpRequest {
        method: text("GET"),
        path: text("/a%20b?q"),
        host: text("Movies.example.org:443"),
        scheme: text("https"),
        headers: entries.collect(),
        header_map: (!raw.is_empty()).then(|| RawHeaders {
            headers: headers.collect(),
        }),
    }
}

fn values(http: HttpRequest, name: HeaderName) -> Result<Vec<String>, Unreadable> {
    let message = message(http);
    let asked = Asked::read(&message)?;
    let values = asked.headers.get_all(name).iter();
    Ok(values.map(|value| value.to_str().unwrap().to_owned()).collect())
}

#[test]
fn the_original_request_is_in_the_attributes() {
    let message = message(http(&[], &[]));
    let asked = Asked::read(&message).unwrap();
    assert_eq!(
        (asked.original.method, asked.original.path.as_str()),
        ("GET", "/a b")
    );
    assert_eq!(
        asked.original.host.as_ref().map(CanonicalHost::as_str),
        Some("movies.example.org")
    );
    let expected = Address {
        scheme: Some("https"),
        host: "Movies.example.org:443",
        target: b"/a%20b?q",
    };
    assert_eq!(asked.original.address, Some(expected));
    assert!(!asked.wants_login);
}

#[test]
fn raw_headers_stand_as_they_were_sent() {
    let two = http(
        &[("cookie", "a=1"), ("Cookie", "b=2"), ("x-other", "1")],
        &[("cookie", "c=3")],
    );
    assert_eq!(values(two, COOKIE), Ok(vec!["a=1".to_owned(), "b=2".to_owned()]));
    let one = http(&[], &[("cookie", "a=1,b=2")]);
    assert_eq!(values(one, COOKIE), Ok(vec!["a=1,b=2".to_owned()]));
    let raw = http(&[("authorization", "Digest a=b, c=d")], &[]);
    assert_eq!(values(raw, AUTHORIZATION), Ok(vec!["Digest a=b, c=d".to_owned()]));
}

/// Attack: Authorization that Envoy has joined from two headers
/// Source: RFC 9110 section 5.3
/// Result: 401 `ambiguous_credentials`
#[test]
fn joined_credentials_are_several() {
    let joined = http(&[], &[("authorization", "Basic YTpi,Bearer x")]);
    assert_eq!(values(joined, AUTHORIZATION).unwrap().len(), 2);
}

/// Attack: a request to Envoy whose path, method or host is told a second time, otherwise
/// Source: CWE-444
/// Result: 403 `request`
#[test]
fn what_is_told_twice_must_agree_and_stand_once() {
    for good in [
        &[(":method", "GET"), (":path", "/a%20b?q")][..],
        &[(":authority", "Movies.example.org:443"), (":scheme", "https")],
        &[("host", "movies.example.org")],
    ] {
        assert!(values(http(good, &[]), COOKIE).is_ok(), "{good:?}");
        assert!(values(http(&[], good), COOKIE).is_ok(), "{good:?}");
    }
    for bad in [
        &[(":method", "POST")][..],
        &[(":path", "/a%20b")],
        &[(":path", "/a%20b?q"), (":path", "/a%20b?q")],
        &[(":authority", "other.org")],
        &[("host", "other.org")],
        &[("Host", "movies.example.org"), ("host", "movies.example.org")],
        &[("cookie", "a\nb")],
    ] {
        assert_eq!(values(http(bad, &[]), COOKIE), Err(Unreadable), "{bad:?}");
        assert_eq!(values(http(&[], bad), COOKIE), Err(Unreadable), "{bad:?}");
    }
}

#[test]
fn what_is_missing_or_malformed_is_refused() {
    let good = || http(&[], &[]);
    let bytes = Bytes::from_static;
    for bad in [
        HttpRequest::default(),
        HttpRequest {
            method: bytes(b"get"),
            ..good()
        },
        HttpRequest {
            path: bytes(b""),
            ..good()
        },
        HttpRequest {
            path: bytes(b"/\xff"),
            ..good()
        },
        HttpRequest {
            path: bytes(b"/a//b"),
            ..good()
        },
        HttpRequest {
            host: bytes(b"a,b"),
            ..good()
        },
        HttpRequest {
            scheme: bytes(b"gopher"),
            ..good()
        },
    ] {
        assert!(Asked::read(&message(bad.clone())).is_err(), "{bad:?}");
    }
    assert!(Asked::read(&CheckRequest::default()).is_err());
}

#[test]
fn the_route_alone_asks_for_a_redirect() {
    let mut asked = message(http(&[("on_401", "redirect")], &[("on_401", "redirect")]));
    assert!(!Asked::read(&asked).unwrap().wants_login);
    if let Some(attributes) = &mut asked.attributes {
        attributes.context_extensions.push(Entry {
            key: "on_401".into(),
            value: "redirect".into(),
        });
    }
    assert!(Asked::read(&asked).unwrap().wants_login);
}
