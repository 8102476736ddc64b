//! The description of all calls (OpenAPI 3.1), made from the table that also makes the router.

use super::nouns;
use super::route::{Gives, Kind, Parameter, Route};
use super::routes::TABLE;
use crate::web::error::sentence;
use serde_json::{Map, Value, json};

/// The statuses that a call may end with besides 200.
const PROBLEMS: [(&str, &str); 9] = [
    ("401", "There is no token, or one that is none"),
    ("403", "The token's scope does not reach this far"),
    ("404", "Nobody has that id or name"),
    ("409", "It is not done as things stand; the detail says why"),
    ("413", "The body is too large"),
    ("422", "The request cannot be understood"),
    ("423", "Mailkeep is locked"),
    ("429", "Too many wrong guesses; Retry-After says how long to wait"),
    ("500", "It could not be done; the detail says why"),
];

/// Describes the API.
pub(super) fn describe() -> Value {
    let mut paths = Map::new();
    for route in TABLE {
        let methods = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(route.verb.word().to_owned(), operation(route));
        }
    }
    paths.insert("/health".to_owned(), health());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Mailkeep",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The mail of one person. Cookies are never looked at; a token says who calls and what that may do.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": nouns::all(),
            "responses": PROBLEMS.iter().map(|(status, words)| (format!("E{status}"), problem(words))).collect::<Map<_, _>>(),
            "securitySchemes": {"token": {
                "type": "http", "scheme": "bearer",
                "description": "Made by `mailkeep token create NAME --scope read|write|admin`.",
            }},
        },
    })
}

fn problem(words: &str) -> Value {
    json!({
        "description": sentence(words),
        "content": {"application/problem+json": {"schema": nouns::schema("Problem")}},
    })
}

fn operation(route: &Route) -> Value {
    let mut responses: Map<String, Value> = PROBLEMS
        .iter()
        .map(|(status, _)| {
            ((*status).to_owned(), json!({"$ref": format!("#/components/responses/E{status}")}))
        })
        .collect();
    responses.insert("200".to_owned(), answer(route.gives));
    let mut operation = json!({
        "operationId": name(route),
        "summary": sentence(route.summary),
        "description": format!("Needs a token of the scope {} or more.", route.scope.word()),
        "parameters": in_path(route.path).map(segment).chain(route.query.iter().map(parameter)).collect::<Vec<_>>(),
        "responses": responses,
        "x-scope": route.scope.word(),
    });
    if let (Some(body), Some(fields)) = (route.body, operation.as_object_mut()) {
        // Only a check may come without one.
        let body = json!({
            "required": body != "Check",
            "content": {"application/json": {"schema": nouns::schema(body)}},
        });
        fields.insert("requestBody".to_owned(), body);
    }
    operation
}

/// The names in a path: those in braces.
pub(super) fn in_path(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/').filter_map(|piece| piece.strip_prefix('{')?.strip_suffix('}'))
}

/// A name of its own for each call: `get-messages-id-raw`.
fn name(route: &Route) -> String {
    let path = route.path.trim_start_matches("/api/v1/");
    let path: String =
        path.chars().filter(|c| !"{}".contains(*c)).map(|c| if "/.".contains(c) { '-' } else { c }).collect();
    format!("{}-{path}", route.verb.word())
}

fn segment(name: &str) -> Value {
    let schema =
        if name == "n" { json!({"type": "integer", "minimum": 0}) } else { json!({"type": "string"}) };
    json!({"name": name, "in": "path", "required": true, "schema": schema})
}

fn parameter(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Number => json!({"type": "integer", "minimum": 0}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Choice(words) => json!({"type": "string", "enum": words}),
    };
    let words = sentence(parameter.words);
    json!({"name": parameter.name, "in": "query", "required": parameter.needed, "description": words, "schema": schema})
}

fn answer(gives: Gives) -> Value {
    let binary = || json!({"schema": {}});
    match gives {
        Gives::One(noun) => json!({
            "description": "Done.", "content": {"application/json": {"schema": nouns::schema(noun)}},
        }),
        Gives::Many(noun) => json!({
            "description": "Done.", "content": {"application/json": {"schema": nouns::schema(&format!("[{noun}]"))}},
        }),
        Gives::Bytes => json!({
            "description": "The bytes, as an attachment in a sandbox.",
            "content": {"application/octet-stream": binary(), "text/plain": binary()},
        }),
        Gives::Events => json!({
            "description": "Server-sent events, named mail, tags, pictures, progress, trouble, tor and outbox; the data is JSON.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }),
        Gives::Description => json!({
            "description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {"type": "object"}}},
        }),
    }
}

/// What is asked by whoever watches over the program; it needs no token and lies outside the table.
fn health() -> Value {
    json!({"get": {
        "operationId": "get-health", "summary": "Whether Mailkeep answers.", "security": [], "parameters": [],
        "responses": {"200": answer(Gives::One("Health"))},
    }})
}
