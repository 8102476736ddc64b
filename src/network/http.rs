//! HTTP over the one door: a question and its answer on a connection of its own, bounded in bytes, time, headers and
//! redirects. It bears no cookie, no referrer, and nothing that tells one owner from another.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::dialer::{DialError, Dialer, Purpose, Security};
use super::web_address::{NotAllowed, WebAddress};

/// The head of an answer may be this many bytes.
const LARGEST_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 100;
/// What most browsers behind Tor call themselves, so that a server learns nothing by it.
const USER_AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0";

/// How much an answer may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest body, in bytes; no more is read.
    pub bytes: usize,
    /// How long the whole of it may take, redirects included.
    pub time: Duration,
    /// How often a server may say "elsewhere" to a GET; a POST follows none.
    pub redirects: usize,
}

/// A question to a server.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// What for; decides the route.
    pub purpose: Purpose,
    /// Where.
    pub address: &'a WebAddress,
    /// The media types that are wanted, as `Accept` says it.
    pub accept: &'a str,
    /// The name that a circuit through Tor is kept for, such as the domain that is looked up; the server's own where
    /// there is none.
    pub circuit: Option<&'a str>,
    /// How much it may cost.
    pub limits: Limits,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The media type it claims, as it was written.
    pub content_type: Option<String>,
    /// The body; empty where the status is no success.
    pub body: Vec<u8>,
}

impl Answer {
    /// Whether it is a success.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum HttpError {
    /// No connection came to be.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It led where it may not lead.
    #[error("{host} leads to an address that is not asked: {why}.")]
    Redirect {
        /// The server.
        host: String,
        /// Which rule it breaks.
        why: NotAllowed,
    },
    /// It led on and on.
    #[error("{host} leads elsewhere again and again.")]
    TooManyRedirects {
        /// The server that was asked first.
        host: String,
    },
    /// The body is too large.
    #[error("{host} answers with more than {most} bytes.")]
    TooLarge {
        /// The server.
        host: String,
        /// How many are read.
        most: usize,
    },
    /// What came is not HTTP as it should be, or broke off.
    #[error("{host} gives no proper answer.")]
    Garbled {
        /// The server.
        host: String,
    },
    /// It took too long.
    #[error("{host} did not answer in time.")]
    TimedOut {
        /// The server that was asked first.
        host: String,
    },
}

/// Fetches a document, by way of a few other addresses where servers say so. Each of them is checked like the first.
///
/// # Errors
/// Says why there is none. A status that is no success is an answer, not an error.
pub async fn get(dialer: &Dialer, ask: &Ask<'_>) -> Result<Answer, HttpError> {
    let whole = async {
        let mut address = ask.address.clone();
        for _ in 0..=ask.limits.redirects {
            let (head, body) = question(dialer, ask, &address, Method::GET, None).await?;
            let location = is_redirect(head.status).then(|| head.headers.get(header::LOCATION)).flatten();
            let Some(location) = location else { return answer(ask, &address, &head, body).await };
            address = location
                .to_str()
                .map_err(|_| NotAllowed::Unreadable)
                .and_then(|location| address.elsewhere(location))
                .map_err(|why| HttpError::Redirect { host: address.host().to_owned(), why })?;
        }
        Err(HttpError::TooManyRedirects { host: ask.address.host().to_owned() })
    };
    bounded(ask, whole).await
}

/// Asks a server to remove what an address names. A redirect is not followed: it is the answer.
///
/// # Errors
/// Says why there is no answer. A status that is no success is an answer, not an error.
pub async fn delete(dialer: &Dialer, ask: &Ask<'_>) -> Result<Answer, HttpError> {
    let whole = async {
        let (head, body) = question(dialer, ask, ask.address, Method::DELETE, None).await?;
        answer(ask, ask.address, &head, body).await
    };
    bounded(ask, whole).await
}

/// Sends a body and gives what is answered. A redirect is not followed: it is the answer.
///
/// # Errors
/// Says why there is no answer. A status that is no success is an answer, not an error.
pub async fn post(
    dialer: &Dialer,
    ask: &Ask<'_>,
    content_type: &str,
    body: Vec<u8>,
) -> Result<Answer, HttpError> {
    let whole = async {
        let content_type = HeaderValue::from_str(content_type).map_err(|_| garbled(ask.address))?;
        let sent = Some((content_type, body));
        let (head, body) = question(dialer, ask, ask.address, Method::POST, sent).await?;
        answer(ask, ask.address, &head, body).await
    };
    bounded(ask, whole).await
}

async fn bounded<F>(ask: &Ask<'_>, whole: F) -> Result<Answer, HttpError>
where
    F: Future<Output = Result<Answer, HttpError>>,
{
    let late = || HttpError::TimedOut { host: ask.address.host().to_owned() };
    timeout(ask.limits.time, whole).await.unwrap_or_else(|_| Err(late()))
}

fn garbled(address: &WebAddress) -> HttpError {
    HttpError::Garbled { host: address.host().to_owned() }
}

const fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The head of an answer.
struct Head {
    status: StatusCode,
    headers: HeaderMap,
}

/// The body that is still to come, and the task that brings it; it ends when nobody wants it any more.
struct Coming {
    body: Incoming,
    _task: AbortOnDropHandle<()>,
}

async fn question(
    dialer: &Dialer,
    ask: &Ask<'_>,
    address: &WebAddress,
    method: Method,
    sent: Option<(HeaderValue, Vec<u8>)>,
) -> Result<(Head, Coming), HttpError> {
    let security = if address.is_secure() { Security::Tls } else { Security::None };
    let circuit = ask.circuit.unwrap_or_else(|| address.host());
    let only_public = !address.is_by_owner();
    let stream = dialer
        .connect_apart(ask.purpose, address.host(), address.port(), security, circuit, only_public)
        .await?;
    let bad = |_| garbled(address);
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(LARGEST_HEAD)
        .max_header_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(bad)?;
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "A connection ended early");
        }
    });
    let task = AbortOnDropHandle::new(task);
    let request = request(ask, address, method, sent)?;
    let response = sender.send_request(request).await.map_err(bad)?;
    let (parts, body) = response.into_parts();
    Ok((Head { status: parts.status, headers: parts.headers }, Coming { body, _task: task }))
}

fn request(
    ask: &Ask<'_>,
    address: &WebAddress,
    method: Method,
    sent: Option<(HeaderValue, Vec<u8>)>,
) -> Result<Request<Full<Bytes>>, HttpError> {
    let (content_type, body) = sent.map_or_else(|| (None, Vec::new()), |(kind, body)| (Some(kind), body));
    let mut request = Request::builder()
        .method(method)
        .uri(address.path())
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| garbled(address))?;
    let mut set = |name: HeaderName, value: &str| match HeaderValue::from_str(value) {
        Ok(value) => {
            request.headers_mut().insert(name, value);
            Ok(())
        }
        Err(_) => Err(garbled(address)),
    };
    set(header::HOST, &address.host_field())?;
    set(header::USER_AGENT, USER_AGENT)?;
    set(header::ACCEPT, ask.accept)?;
    // What is not packed cannot swell.
    set(header::ACCEPT_ENCODING, "identity")?;
    set(header::CONNECTION, "close")?;
    if let Some(content_type) = content_type {
        request.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    Ok(request)
}

async fn answer(
    ask: &Ask<'_>,
    address: &WebAddress,
    head: &Head,
    mut coming: Coming,
) -> Result<Answer, HttpError> {
    let field = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    let mut answer = Answer {
        status: head.status.as_u16(),
        content_type: field(header::CONTENT_TYPE).map(str::to_owned),
        body: Vec::new(),
    };
    if !answer.is_success() {
        return Ok(answer);
    }
    if field(header::CONTENT_ENCODING).is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(garbled(address));
    }
    while let Some(frame) = coming.body.frame().await {
        let Ok(data) = frame.map_err(|_| garbled(address))?.into_data() else { continue };
        if data.len() > ask.limits.bytes.saturating_sub(answer.body.len()) {
            return Err(HttpError::TooLarge { host: address.host().to_owned(), most: ask.limits.bytes });
        }
        answer.body.extend_from_slice(&data);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests;
