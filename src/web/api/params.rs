//! What a call was given: pieces of its path, its query, its body. What is not known is refused, never passed over.

use super::route::{Kind, Route};
use crate::engine::failure::Failure;
use axum::body::Bytes;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// What a call was given, with names that its route knows.
#[derive(Default)]
pub(super) struct Given {
    path: BTreeMap<String, String>,
    query: BTreeMap<&'static str, String>,
    body: Bytes,
}

impl Given {
    /// Takes apart what came. The query is in the form of HTML forms.
    ///
    /// # Errors
    /// Usage, for a parameter that the route does not have or that is there twice, and for a value that it cannot be.
    pub(super) fn new(
        route: &Route,
        path: BTreeMap<String, String>,
        query: Vec<(String, String)>,
        body: Bytes,
    ) -> Result<Self, Failure> {
        let mut known = BTreeMap::new();
        for (name, value) in query {
            let parameter =
                route.query.iter().find(|p| p.name == name).ok_or_else(|| unknown(route, &name))?;
            parameter.kind.check(parameter.name, &value)?;
            if known.insert(parameter.name, value).is_some() {
                return Err(Failure::usage(format!("The parameter {name} is there twice")));
            }
        }
        if let Some(missing) = route.query.iter().find(|p| p.needed && !known.contains_key(p.name)) {
            return Err(Failure::usage(format!(
                "The parameter {} is missing: {}",
                missing.name, missing.words
            )));
        }
        Ok(Self { path, query: known, body })
    }

    /// A piece of the path.
    pub(super) fn segment(&self, name: &str) -> String {
        self.path.get(name).cloned().unwrap_or_default()
    }

    /// A text of the query; empty where it is missing.
    pub(super) fn text(&self, name: &str) -> String {
        self.query.get(name).cloned().unwrap_or_default()
    }

    /// A number of the query. [`Given::new`] has looked at it already.
    pub(super) fn number(&self, name: &str, default: usize) -> usize {
        self.query.get(name).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    /// A yes or no of the query.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.query.get(name).is_some_and(|value| value == "true")
    }

    /// The body.
    ///
    /// # Errors
    /// Usage, where it is no JSON object with the fields that belong there.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        read_object(&self.body)
    }

    /// The same, for a call that may come without a body.
    ///
    /// # Errors
    /// As [`Given::body`].
    pub(super) fn body_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Failure> {
        if self.body.trim_ascii().is_empty() { Ok(T::default()) } else { self.body() }
    }
}

fn unknown(route: &Route, name: &str) -> Failure {
    let short: String = name.chars().take(40).collect();
    let names: Vec<&str> = route.query.iter().map(|p| p.name).collect();
    Failure::usage(match names.as_slice() {
        [] => format!("There is no parameter {short:?}; this call takes none"),
        names => format!("There is no parameter {short:?}; this call takes {}", names.join(", ")),
    })
}

impl Kind {
    fn check(self, name: &str, value: &str) -> Result<(), Failure> {
        let wanted = match self {
            Self::Text => return Ok(()),
            Self::Number if value.parse::<u32>().is_ok() => return Ok(()),
            Self::Flag if matches!(value, "true" | "false") => return Ok(()),
            Self::Choice(words) if words.contains(&value) => return Ok(()),
            Self::Number => "a whole number".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
        };
        let short: String = value.chars().take(40).collect();
        Err(Failure::usage(format!("{name} cannot be {short:?}; it is {wanted}")))
    }
}

/// Reads a JSON object. An array is refused, though its items could stand for the fields in order.
pub(super) fn read_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Failure::usage(
            "The body is no JSON object; /api/v1/openapi.json says what belongs there",
        ));
    }
    serde_json::from_slice(body).map_err(|e| Failure::usage(format!("The body cannot be understood: {e}")))
}

/// A number in the path. What is no number is a part that no message has.
pub(super) fn part_number(text: &str) -> Result<u32, Failure> {
    text.parse().map_err(|_| {
        Failure::not_found(format!("No message has a part {:?}", text.chars().take(40).collect::<String>()))
    })
}
