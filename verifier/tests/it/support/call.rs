//! Asking over gRPC, with a client of somebody else's and messages written from Envoy's own definition, apart from those
//! of the verifier.

use std::collections::HashMap;

use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use shared::serve::BoundAddress;
use tokio::net::{TcpStream, UnixStream};
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::{Answer, Request};

pub(crate) const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    pub(crate) attributes: Option<Attributes>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Attributes {
    #[prost(message, optional, tag = "4")]
    pub(crate) request: Option<RequestAttributes>,
    #[prost(map = "string, string", tag = "10")]
    pub(crate) context_extensions: HashMap<String, String>,
    /// Of which the verifier knows nothing.
    #[prost(message, optional, tag = "12")]
    pub(crate) tls_session: Option<TlsSession>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TlsSession {
    #[prost(string, tag = "1")]
    pub(crate) sni: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RequestAttributes {
    #[prost(message, optional, tag = "2")]
    pub(crate) http: Option<HttpRequest>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HttpRequest {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) method: String,
    #[prost(map = "string, string", tag = "3")]
    pub(crate) headers: HashMap<String, String>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) path: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(crate) host: String,
    #[prost(string, tag = "6")]
    pub(crate) scheme: String,
    #[prost(string, tag = "10")]
    pub(crate) protocol: String,
    #[prost(message, optional, tag = "13")]
    pub(crate) header_map: Option<HeaderMap>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HeaderMap {
    #[prost(message, repeated, tag = "1")]
    pub(crate) headers: Vec<HeaderValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HeaderValue {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) raw_value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) status: Option<Status>,
    #[prost(message, optional, tag = "4")]
    pub(crate) dynamic_metadata: Option<Struct>,
    #[prost(oneof = "HttpResponse", tags = "2, 3, 5")]
    pub(crate) http_response: Option<HttpResponse>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum HttpResponse {
    #[prost(message, tag = "2")]
    Denied(Denied),
    #[prost(message, tag = "3")]
    Ok(Admitted),
    #[prost(message, tag = "5")]
    Error(Denied),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Denied {
    #[prost(message, optional, tag = "1")]
    pub(crate) status: Option<HttpStatus>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) headers: Vec<HeaderValueOption>,
    #[prost(string, tag = "3")]
    pub(crate) body: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Admitted {
    #[prost(message, repeated, tag = "2")]
    pub(crate) headers: Vec<HeaderValueOption>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HttpStatus {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HeaderValueOption {
    #[prost(message, optional, tag = "1")]
    pub(crate) header: Option<HeaderValue>,
    #[prost(message, optional, tag = "2")]
    pub(crate) append: Option<BoolValue>,
    #[prost(int32, tag = "3")]
    pub(crate) append_action: i32,
    #[prost(bool, tag = "4")]
    pub(crate) keep_empty_value: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BoolValue {
    #[prost(bool, tag = "1")]
    pub(crate) value: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Struct {
    #[prost(map = "string, message", tag = "1")]
    pub(crate) fields: HashMap<String, Value>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Value {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
    pub(crate) kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Kind {
    #[prost(int32, tag = "1")]
    Null(i32),
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(bool, tag = "4")]
    Bool(bool),
    #[prost(message, tag = "5")]
    Struct(Struct),
    #[prost(message, tag = "6")]
    List(List),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct List {
    #[prost(message, repeated, tag = "1")]
    pub(crate) values: Vec<Value>,
}

impl CheckRequest {
    /// As Envoy asks with `encode_raw_headers`.
    pub(crate) fn about(request: &Request) -> Self {
        let host = request.value(":authority").unwrap_or_default();
        let pseudo = [(":method", request.method.as_str()), (":path", &request.target)];
        let own = request
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let headers = pseudo.into_iter().chain(own).map(|(name, value)| HeaderValue {
            key: name.to_ascii_lowercase(),
            raw_value: value.into(),
            ..HeaderValue::default()
        });
        let http = HttpRequest {
            id: "1234".to_owned(),
            method: request.method.clone(),
            path: request.target.clone().into(),
            host: host.to_owned(),
            scheme: "https".to_owned(),
            protocol: "HTTP/1.1".to_owned(),
            header_map: Some(HeaderMap {
                headers: headers.collect(),
            }),
            ..HttpRequest::default()
        };
        Self::of(http)
    }

    pub(crate) fn of(http: HttpRequest) -> Self {
        Self {
            attributes: Some(Attributes {
                request: Some(RequestAttributes { http: Some(http) }),
                context_extensions: HashMap::new(),
                tls_session: Some(TlsSession {
                    sni: "movies.example.org".to_owned(),
                }),
            }),
        }
    }

    pub(crate) fn http(&mut self) -> &mut HttpRequest {
        let attributes = self.attributes.as_mut().unwrap();
        attributes.request.as_mut().unwrap().http.as_mut().unwrap()
    }
}

/// A connection of HTTP/2 to the verifier.
pub(crate) async fn channel(address: &BoundAddress) -> Channel {
    let address = address.clone();
    // The name is not looked at.
    Endpoint::from_static("http://verifier")
        .connect_with_connector(tower::service_fn(move |_| {
            let address = address.clone();
            async move {
                let stream: Box<dyn super::client::Stream> = match address {
                    BoundAddress::Tcp(address) => {
                        let stream = TcpStream::connect(address).await?;
                        // A call is two writes, of which the second would wait for the first to be acknowledged.
                        stream.set_nodelay(true)?;
                        Box::new(stream)
                    }
                    BoundAddress::Unix(path) => Box::new(UnixStream::connect(path).await?),
                };
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        }))
        .await
        .unwrap()
}

/// Calls `path` with a message.
pub(crate) async fn call(
    channel: Channel,
    path: &'static str,
    message: CheckRequest,
) -> Result<CheckResponse, tonic::Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let codec = ProstCodec::<CheckRequest, CheckResponse>::default();
    client
        .unary(
            tonic::Request::new(message),
            PathAndQuery::from_static(path),
            codec,
        )
        .await
        .map(tonic::Response::into_inner)
}

impl From<CheckResponse> for Answer {
    /// As Envoy takes it: what the client gets, or what the service behind gets.
    fn from(response: CheckResponse) -> Self {
        let code = response.status.unwrap().code;
        let (status, headers, body) = match response.http_response.unwrap() {
            HttpResponse::Ok(admitted) => (200, admitted.headers, String::new()),
            HttpResponse::Denied(denied) => (denied.status.unwrap().code, denied.headers, denied.body),
            HttpResponse::Error(_) => unreachable!("never sent"),
        };
        assert_eq!(code == 0, status == 200, "{code} {status}");
        let headers = headers.into_iter().map(|option| {
            assert_eq!((option.append_action, option.append), (2, None), "overwrites");
            assert!(option.keep_empty_value);
            let header = option.header.unwrap();
            (header.key, header.value)
        });
        Self {
            status: status.try_into().unwrap(),
            headers: headers.collect(),
            body: body.into(),
        }
    }
}
