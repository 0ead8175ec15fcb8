//! What is the same for many operations of the document, so that no route has to say it: the refusals that the bodies, queries
//! and addresses have in common, their media type, and that nothing may be sent beside what is asked for.

use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder};

const JSON: &str = "application/json";

const SCHEMAS: &str = "#/components/schemas/";

/// A status, and what it is when no route says more of it.
type Refusal = (&'static str, &'static str);

/// Of whatever has a body.
const OF_BODIES: [Refusal; 4] = [
    ("400", "`malformed-body`"),
    ("413", "`body-too-large`"),
    ("415", "`unsupported-media-type`"),
    OF_QUERIES,
];

/// Of whatever has a query.
const OF_QUERIES: Refusal = ("422", "`invalid`");

/// Of whatever has a part of its path to choose.
const OF_PATHS: Refusal = ("404", "`not-found`");

/// Of whatever asks the database.
const OF_ALL: Refusal = ("503", "`unavailable`: the database is away");

/// Completes the document of all routes.
pub(in crate::http) fn complete(document: &mut OpenApi) {
    let mut bodies = Vec::new();
    for (path, item) in &mut document.paths.paths {
        let is_oauth = path.starts_with("/oauth2/");
        let is_published = path.starts_with("/.well-known/");
        for operation in operations(item) {
            if is_oauth {
                // The body's `client_id` and `client_secret` will do as well (RFC 6749 section 2.3.1).
                let security = operation.security.get_or_insert_default();
                security.insert(0, SecurityRequirement::default());
            } else if !is_published {
                add_refusals(operation);
            }
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                bodies.extend(schema_of(body).map(|schema| (schema, is_oauth)));
            }
        }
    }
    let Some(components) = &mut document.components else {
        return;
    };
    for (name, is_form) in bodies {
        if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(&name) {
            // Forms may have parameters that we do not know (RFC 6749 section 3.2), each of them once; JSON has none.
            let others = if is_form {
                AdditionalProperties::from(ObjectBuilder::new().schema_type(Type::String))
            } else {
                AdditionalProperties::FreeForm(false)
            };
            object.additional_properties = Some(Box::new(others));
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        put,
        post,
        delete,
        patch,
        ..
    } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// Adds the refusals that an operation has in common with others, and has all of them be problems.
fn add_refusals(operation: &mut Operation) {
    let parameters = operation.parameters.iter().flatten();
    let places: Vec<&ParameterIn> = parameters
        .filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(&parameter.parameter_in),
            RefOr::Ref(_) => None,
        })
        .collect();
    let has_query = places.iter().any(|place| matches!(place, ParameterIn::Query));
    let has_path = places.iter().any(|place| matches!(place, ParameterIn::Path));
    let of_bodies = operation.request_body.iter().flat_map(|_| OF_BODIES);
    let of_queries = has_query.then_some(OF_QUERIES);
    let of_paths = has_path.then_some(OF_PATHS);
    let refusals = of_bodies.chain(of_queries).chain(of_paths).chain([OF_ALL]);

    let responses = &mut operation.responses.responses;
    for (status, description) in refusals {
        responses.entry(status.to_owned()).or_insert_with(|| {
            let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
            let response = ResponseBuilder::new()
                .description(description)
                .content(JSON, problem.build());
            RefOr::T(response.build())
        });
    }
    let refusals = responses
        .iter_mut()
        .filter(|(status, _)| status.starts_with(['4', '5']));
    for (_, response) in refusals {
        if let RefOr::T(response) = response {
            to_problem(response);
        }
    }
}

/// JSON of a refusal is of the media type of problems (RFC 9457 section 3).
fn to_problem(response: &mut Response) {
    let content = std::mem::take(&mut response.content).into_iter();
    response.content = content
        .map(|(media_type, content)| {
            let is_json = media_type == JSON;
            let media_type = if is_json {
                shared::problem::MEDIA_TYPE.to_owned()
            } else {
                media_type
            };
            (media_type, content)
        })
        .collect();
}

/// The name of a body's schema. One that may be left out is no null.
fn schema_of(body: &mut RequestBody) -> Option<String> {
    let Some(RefOr::T(content)) = body.content.values_mut().next() else {
        return None;
    };
    let schema = content.schema.as_mut()?;
    if let RefOr::T(Schema::OneOf(choice)) = schema {
        let named = choice.items.iter().find(|item| matches!(item, RefOr::Ref(_)));
        *schema = named?.clone();
        body.required = Some(Required::False);
    }
    match schema {
        RefOr::Ref(named) => named.ref_location.strip_prefix(SCHEMAS).map(str::to_owned),
        RefOr::T(_) => None,
    }
}
