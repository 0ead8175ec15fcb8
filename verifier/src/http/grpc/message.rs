//! The messages of `envoy.service.auth.v3`, as far as they are read or written here; fields that are not named are
//! passed over (<https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/auth/v3/external_auth.proto>).
//!
//! Texts that come from a client are declared as bytes, which are the same on the wire: what is no UTF-8 shall be
//! refused by what reads it, and nothing needs to be copied. A map is the same as a list of entries there.

use bytes::Bytes;

/// `envoy.service.auth.v3.CheckRequest`
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) attributes: Option<AttributeContext>,
}

/// `envoy.service.auth.v3.AttributeContext`
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct AttributeContext {
    #[prost(message, optional, tag = "4")]
    pub(super) request: Option<RequestAttributes>,
    #[prost(message, repeated, tag = "10")]
    pub(super) context_extensions: Vec<Entry>,
}

/// `envoy.service.auth.v3.AttributeContext.Request`
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct RequestAttributes {
    #[prost(message, optional, tag = "2")]
    pub(super) http: Option<HttpRequest>,
}

/// `envoy.service.auth.v3.AttributeContext.HttpRequest`
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct HttpRequest {
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) method: Bytes,
    #[prost(message, repeated, tag = "3")]
    pub(super) headers: Vec<Entry>,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) path: Bytes,
    #[prost(bytes = "bytes", tag = "5")]
    pub(super) host: Bytes,
    #[prost(bytes = "bytes", tag = "6")]
    pub(super) scheme: Bytes,
    #[prost(message, optional, tag = "13")]
    pub(super) header_map: Option<RawHeaders>,
}

/// An entry of a map from text to text.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct Entry {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) value: Bytes,
}

/// `envoy.config.core.v3.HeaderMap`
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct RawHeaders {
    #[prost(message, repeated, tag = "1")]
    pub(super) headers: Vec<RawHeader>,
}

/// `envoy.config.core.v3.HeaderValue`, as it is read
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct RawHeader {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) value: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) raw_value: Bytes,
}

/// `envoy.service.auth.v3.CheckResponse`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Status>,
    #[prost(oneof = "HttpResponse", tags = "2, 3")]
    pub(super) http_response: Option<HttpResponse>,
    #[prost(message, optional, tag = "4")]
    pub(super) dynamic_metadata: Option<Struct>,
}

/// What becomes of the request.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub(super) enum HttpResponse {
    #[prost(message, tag = "2")]
    Denied(DeniedHttpResponse),
    #[prost(message, tag = "3")]
    Ok(OkHttpResponse),
}

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct Status {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

/// `envoy.service.auth.v3.DeniedHttpResponse`
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct DeniedHttpResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<HttpStatus>,
    #[prost(message, repeated, tag = "2")]
    pub(super) headers: Vec<HeaderValueOption>,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) body: Bytes,
}

/// `envoy.service.auth.v3.OkHttpResponse`
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct OkHttpResponse {
    #[prost(message, repeated, tag = "2")]
    pub(super) headers: Vec<HeaderValueOption>,
}

/// `envoy.type.v3.HttpStatus`
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(super) struct HttpStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
}

/// `envoy.config.core.v3.HeaderValueOption`
///
/// `append`, which came before `append_action`, is left out: where it is absent, old versions overwrite too.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct HeaderValueOption {
    #[prost(message, optional, tag = "1")]
    pub(super) header: Option<Entry>,
    #[prost(int32, tag = "3")]
    pub(super) append_action: i32,
    #[prost(bool, tag = "4")]
    pub(super) keep_empty_value: bool,
}

impl HeaderValueOption {
    /// `HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD`
    pub(super) const OVERWRITE_IF_EXISTS_OR_ADD: i32 = 2;
}

/// `google.protobuf.Struct`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Struct {
    #[prost(message, repeated, tag = "1")]
    pub(super) fields: Vec<Field>,
}

/// An entry of [`Struct`].
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Field {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<Value>,
}

/// `google.protobuf.Value`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Value {
    #[prost(oneof = "Kind", tags = "3, 4, 6")]
    pub(super) kind: Option<Kind>,
}

/// What a [`Value`] is.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Kind {
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(bool, tag = "4")]
    Bool(bool),
    #[prost(message, tag = "6")]
    List(ListValue),
}

/// `google.protobuf.ListValue`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListValue {
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<Value>,
}
