//! What a call is: how it is made, what it takes, what is to be done, and what it answers.

use super::params::Given;
use crate::crypto::secret::SecretText;
use crate::engine::failure::Failure;
use crate::engine::request::Request;
use crate::engine::settings::Scope;
use axum::routing::MethodFilter;

/// The largest body of a call that carries files: 50 MB of them, in base64, and the rest.
const LARGE: usize = 72 << 20;
/// The largest body of any other call.
const SMALL: usize = 1 << 20;

/// How a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    /// The method's name in lower case.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Delete => "delete",
        }
    }

    pub(super) const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// What a parameter of the query may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    Choice(&'static [&'static str]),
}

/// A parameter of the query.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) needed: bool,
    pub(super) words: &'static str,
}

/// What a call answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gives {
    /// A noun of the description.
    One(&'static str),
    /// Several of them.
    Many(&'static str),
    /// Bytes from mail, as an attachment.
    Bytes,
    /// Server-sent events.
    Events,
    /// The description itself.
    Description,
}

/// What is to be done.
pub(super) enum Deed {
    /// Something asked of the store.
    Ask(Request),
    /// The same, where the answer is a draft.
    AskDraft(Request),
    /// Something that is only done for whoever knows the passphrase.
    AskProved {
        /// What they say it is.
        passphrase: SecretText,
        /// What they ask.
        asked: Request,
    },
    /// A draft.
    Draft(String),
    /// What happens, while it happens.
    Events,
    /// The description of all calls.
    Describe,
    /// Locks the store.
    Lock,
    /// Changes the passphrase.
    ChangePassphrase {
        /// The one that holds.
        old: SecretText,
        /// The one that shall hold.
        new: SecretText,
    },
}

/// One call.
pub(super) struct Route {
    pub(super) verb: Verb,
    pub(super) path: &'static str,
    pub(super) scope: Scope,
    pub(super) summary: &'static str,
    pub(super) query: &'static [Parameter],
    /// The noun of the body.
    pub(super) body: Option<&'static str>,
    pub(super) gives: Gives,
    pub(super) deed: fn(&Given) -> Result<Deed, Failure>,
}

impl Route {
    /// How large a body may be.
    pub(super) fn largest(&self) -> usize {
        match self.body {
            Some("Draft") => LARGE,
            Some(_) => SMALL,
            None => 0,
        }
    }

    pub(super) const fn query(mut self, query: &'static [Parameter]) -> Self {
        self.query = query;
        self
    }

    pub(super) const fn body(mut self, body: &'static str) -> Self {
        self.body = Some(body);
        self
    }

    pub(super) const fn gives(mut self, gives: Gives) -> Self {
        self.gives = gives;
        self
    }
}

type Asks = fn(&Given) -> Result<Deed, Failure>;

pub(super) const fn call(
    verb: Verb,
    path: &'static str,
    scope: Scope,
    summary: &'static str,
    deed: Asks,
) -> Route {
    Route { verb, path, scope, summary, query: &[], body: None, gives: Gives::One("Data"), deed }
}

pub(super) const fn parameter(
    name: &'static str,
    kind: Kind,
    needed: bool,
    words: &'static str,
) -> Parameter {
    Parameter { name, kind, needed, words }
}
