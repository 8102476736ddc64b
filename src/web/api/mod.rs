//! The REST API under `/api/v1`: one table of calls, one way through them. Callers show a token; cookies are never looked
//! at (`threats.md` §14).

mod bodies;
mod caller;
mod nouns;
mod openapi;
mod params;
mod problem;
mod route;
mod routes;
#[cfg(test)]
mod tests;

use super::{Web, content, events};
use crate::engine::app::{App, Telling};
use crate::engine::drafts::{self, Content, Kept};
use crate::engine::failure::{Failure, Kind};
use crate::engine::request::{self, Answer, Request as Asked};
use crate::engine::vault::acceptable;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{Query, RawPathParams, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};
use caller::{Brake, Caller, recognise};
use params::Given;
use problem::Problem;
use route::{Deed, Route};
use routes::TABLE;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The calls, and an answer of the same kind for what is none.
pub(super) fn routes() -> Router<Arc<Web>> {
    let brake = Arc::new(Brake::default());
    let mut paths: BTreeMap<&str, (MethodRouter<Arc<Web>>, Vec<String>)> = BTreeMap::new();
    for route in TABLE {
        let own = Arc::clone(&brake);
        let handler = move |State(web): State<Arc<Web>>, path: PathPieces, asked: Request| async move {
            handle(route, &web, &own, path, asked).await.into_response()
        };
        let (methods, allowed) = paths.entry(route.path).or_default();
        *methods = std::mem::take(methods).on(route.verb.filter(), handler);
        allowed.push(route.verb.word().to_ascii_uppercase());
    }
    let nothing = |refuse: Arc<dyn Fn() -> Problem + Send + Sync>| {
        let brake = Arc::clone(&brake);
        move |State(web): State<Arc<Web>>, asked: Request| async move {
            // Strangers do not even learn what there is.
            match recognise(&web, &brake, asked.headers(), asked.extensions()).await {
                Ok(_) => refuse(),
                Err(problem) => problem,
            }
        }
    };
    let mut router = Router::new();
    for (path, (methods, allowed)) in paths {
        let allowed = allowed.join(", ");
        router =
            router.route(path, methods.fallback(nothing(Arc::new(move || Problem::not_allowed(&allowed)))));
    }
    for path in ["/api", "/api/", "/api/{*rest}"] {
        router = router.route(path, any(nothing(Arc::new(Problem::not_found))));
    }
    router
}

/// The pieces of the path, or that they are no text; who is a stranger does not learn even that.
type PathPieces = Result<RawPathParams, RawPathParamsRejection>;

/// One call, from the token to the answer.
async fn handle(
    route: &'static Route,
    web: &Arc<Web>,
    brake: &Brake,
    path: PathPieces,
    asked: Request,
) -> Result<Response, Problem> {
    let caller = recognise(web, brake, asked.headers(), asked.extensions()).await?;
    // What is not even text is nobody's id.
    let path = path.map_err(|_| Problem::not_found())?;
    let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if caller.scope < route.scope {
        let words = format!(
            "This needs a token of the scope {}; this one has {}",
            route.scope.word(),
            caller.scope.word()
        );
        return Err(Problem::new(StatusCode::FORBIDDEN, words));
    }
    let query = Query::<Vec<(String, String)>>::try_from_uri(asked.uri())
        .map_err(|_| Failure::usage("The query of the address cannot be understood"))?;
    let body = body(route, asked.into_body()).await?;
    let deed = (route.deed)(&Given::new(route, path, query.0, body)?)?;
    perform(deed, web, caller).await
}

/// The body, which is read only once it is clear who sends it and that it belongs there.
async fn body(route: &Route, body: Body) -> Result<Bytes, Problem> {
    let largest = route.largest();
    if largest == 0 {
        return Ok(Bytes::new());
    }
    axum::body::to_bytes(body, largest).await.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The body is cut off, or larger than {} MB", largest >> 20),
        )
    })
}

async fn perform(deed: Deed, web: &Arc<Web>, caller: Caller) -> Result<Response, Problem> {
    match deed {
        Deed::Ask(asked) => Ok(answer(ask(caller.app, asked).await?)),
        Deed::AskDraft(asked) => match ask(caller.app, asked).await? {
            Answer::Json(value) => Ok(axum::Json(draft(value)?).into_response()),
            Answer::Bytes { .. } => Err(Failure::failed("The draft was kept, but cannot be shown").into()),
        },
        Deed::Draft(id) => {
            Ok(axum::Json(bodies::shown(&drafts::find(&caller.app, &id).await?)).into_response())
        }
        Deed::Events => Ok(events::answer(&caller.app)),
        Deed::Describe => Ok(axum::Json(openapi::describe()).into_response()),
        Deed::Lock => {
            // Nobody may hold the store while it is locked, this call included.
            drop(caller);
            web.forget();
            web.vault.lock().await;
            Ok(data(web))
        }
        Deed::AskProved { passphrase, asked } => {
            web.throttle.attempt(caller.from)?;
            match web.vault.prove(&passphrase).await {
                Err(failure) if failure.kind == Kind::Locked => {
                    Err(Problem::new(StatusCode::FORBIDDEN, failure.words))
                }
                proved => {
                    web.throttle.note(caller.from, true);
                    proved?;
                    Ok(answer(ask(caller.app, asked).await?))
                }
            }
        }
        Deed::ChangePassphrase { old, new } => {
            // Before the old one is looked at: a new one that is refused clears no count of guesses.
            acceptable(&new)?;
            web.throttle.attempt(caller.from)?;
            match web.vault.change_passphrase(&old, &new).await {
                Err(failure) if failure.kind == Kind::Locked => {
                    Err(Problem::new(StatusCode::FORBIDDEN, failure.words))
                }
                result => {
                    web.throttle.note(caller.from, true);
                    result?;
                    Ok(data(web))
                }
            }
        }
    }
}

fn answer(answer: Answer) -> Response {
    match answer {
        Answer::Json(value) => axum::Json(value).into_response(),
        Answer::Bytes { bytes, media_type, name } => attachment(bytes, &media_type, &name),
    }
}

fn data(web: &Web) -> Response {
    axum::Json(json!({"data": web.vault.path()})).into_response()
}

/// Asks the store. Work that was begun is finished also when the caller hangs up: half an import helps nobody.
async fn ask(app: Arc<App>, asked: Asked) -> Result<Answer, Failure> {
    let work = tokio::spawn(async move { request::perform(&app, asked, &Telling(&app)).await });
    work.await.unwrap_or_else(|_| Err(Failure::failed("Something broke inside Mailkeep; please report it")))
}

/// A draft as it is answered, from what the engine says of it.
fn draft(value: Value) -> Result<Value, Failure> {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (id, saved_at) = (text("id"), text("saved_at"));
    let content: Content = serde_json::from_value(value).map_err(|e| Failure::failed(e.to_string()))?;
    Ok(bodies::shown(&Kept { id, saved_at, content }))
}

/// Bytes from mail. Only our own plain text says what it is: nothing else shall ever be taken for a page.
fn attachment(bytes: Vec<u8>, media_type: &str, name: &str) -> Response {
    const PLAIN: &str = "text/plain; charset=utf-8";
    let mut response = content::download(bytes, name);
    if media_type == PLAIN {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PLAIN));
    }
    response
}
