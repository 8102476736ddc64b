//! Web Key Directories (draft-koch-openpgp-webkey-service): a domain hands out its people's keys itself.

use super::address_guard;
use super::dialer::{DialError, Dialer, Purpose};
use super::http::{self, Ask, HttpError};
use super::keyserver::{AskError, LIMITS};
use super::web_address::WebAddress;
use crate::crypto::openpgp::hashed_local_part;

/// The two addresses of somebody's key: the advanced one, on a name of its own, and the direct one.
fn places(address: &str) -> Option<(WebAddress, WebAddress)> {
    let (local, domain) = address.rsplit_once('@')?;
    // `.test` names a network on trial; Tor takes it unresolved, so that nothing at home can be meant.
    let is_public = address_guard::is_public_name(domain);
    let on_trial = domain.strip_suffix(".test").is_some_and(|rest| {
        rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.') && !rest.is_empty()
    });
    if local.is_empty() || !(is_public || on_trial) {
        return None;
    }
    let hash = hashed_local_part(local)?;
    let advanced =
        WebAddress::from_owner(&format!("https://openpgpkey.{domain}/.well-known/openpgpkey")).ok()?;
    let direct = WebAddress::from_owner(&format!("https://{domain}/.well-known/openpgpkey")).ok()?;
    let query = [("l", local)];
    Some((advanced.below(&[domain, "hu", &hash], &query).ok()?, direct.below(&["hu", &hash], &query).ok()?))
}

/// Whether the domain of an address (canonical) can have a directory at all.
#[must_use]
pub fn can_be_asked(address: &str) -> bool {
    places(address).is_some()
}

/// Asks the domain of an address (canonical) for its keys. The direct address is asked only where the name of the advanced
/// one does not exist. No redirect is followed: a directory lies where the draft says.
///
/// # Errors
/// Says why there is no answer; that there is no key is one.
pub async fn find(dialer: &Dialer, address: &str) -> Result<Option<Vec<u8>>, AskError> {
    let (advanced, direct) = places(address).ok_or(AskError::NoServer)?;
    let get = async |place: &WebAddress| {
        let ask = Ask {
            purpose: Purpose::KeyLookup,
            address: place,
            accept: "application/octet-stream",
            circuit: Some(direct.host()),
            limits: LIMITS,
        };
        http::get(dialer, &ask).await
    };
    let no_name = |error: &HttpError| matches!(error, HttpError::Dial(DialError::NameNotFound { .. }));
    let (host, answer) = match get(&advanced).await {
        Err(error) if no_name(&error) => (direct.host(), get(&direct).await),
        answer => (advanced.host(), answer),
    };
    match answer {
        Ok(answer) if answer.status == 200 => Ok(Some(answer.body)),
        Ok(answer) if answer.status >= 500 => Err(AskError::status(host, answer.status)),
        // Whatever else a web server says to a path that it does not know.
        Ok(_) | Err(HttpError::Redirect { .. } | HttpError::TooManyRedirects { .. }) => Ok(None),
        Err(error) if no_name(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_lies_where_the_draft_says() {
        let (advanced, direct) = places("joe.doe@example.org").unwrap();
        let whole = |a: &WebAddress| format!("{}:{}{}", a.host(), a.port(), a.path());
        assert_eq!(
            whole(&advanced),
            "openpgpkey.example.org:443/.well-known/openpgpkey/example.org/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=joe.doe"
        );
        assert_eq!(
            whole(&direct),
            "example.org:443/.well-known/openpgpkey/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=joe.doe"
        );
        let (odd, _) = places("a+b&c=d#e?@example.org").unwrap();
        assert!(odd.path().ends_with("?l=a%2Bb%26c%3Dd%23e%3F"), "{}", odd.path());
        assert!(places("bob@lab.test").is_some());
    }

    #[test]
    fn nobody_at_home_is_asked() {
        for nobody in [
            "bob",
            "@example.org",
            "bob@",
            "bob@localhost",
            "bob@127.0.0.1",
            "bob@[::1]",
            "bob@printer.local",
            "bob@x.onion",
            "bob@evil.example/x",
            "bob@a:1.test",
            "bob@.test",
            "bob@user@x.internal",
        ] {
            assert!(places(nobody).is_none(), "{nobody}");
        }
    }
}
