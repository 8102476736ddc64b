//! What the names of a domain say of its mail servers (RFC 6186, RFC 8314), asked for by DNS over HTTPS.

use super::{Asking, Candidate, FindError, Server, Source, no_way};
use crate::mail::domain;
use crate::network::address_guard;
use crate::network::dialer::{Purpose, Security};
use crate::network::doh::{self, DohError, Services};
use crate::network::http::HttpError;
use crate::network::web_address::WebAddress;

/// The names of a service, with TLS from the first byte before STARTTLS.
const READING: [(&str, Security); 2] = [("_imaps._tcp", Security::Tls), ("_imap._tcp", Security::StartTls)];
const SENDING: [(&str, Security); 2] =
    [("_submissions._tcp", Security::Tls), ("_submission._tcp", Security::StartTls)];

impl Asking<'_> {
    /// Servers that the domain's names lead to.
    pub(super) async fn services(&self, resolver: &WebAddress) -> Result<Option<Candidate>, FindError> {
        let Some((imap, imap_is_sure)) = self.best(resolver, READING).await? else { return Ok(None) };
        let Some((smtp, smtp_is_sure)) = self.best(resolver, SENDING).await? else { return Ok(None) };
        let is_sure = imap_is_sure && smtp_is_sure;
        let source = Source::Names { resolver: resolver.host().to_owned(), is_sure };
        Ok(Some(Candidate { imap, smtp, source, note: None }))
    }

    /// The first of two services that the domain has.
    async fn best(
        &self,
        resolver: &WebAddress,
        [(first, first_by), (second, second_by)]: [(&str, Security); 2],
    ) -> Result<Option<(Server, bool)>, FindError> {
        let (first, second) = tokio::join!(self.named(resolver, first), self.named(resolver, second));
        let found = self.server(first?, first_by);
        Ok(found.or(self.server(second?, second_by)))
    }

    async fn named(&self, resolver: &WebAddress, service: &str) -> Result<Services, FindError> {
        let own = &self.account.domain;
        let name = format!("{service}.{own}");
        match doh::services(self.dialer, Purpose::Autoconfig, resolver, &name, own).await {
            Ok(services) => Ok(services),
            Err(DohError::Http(HttpError::Dial(error))) => no_way(error).map_or(Ok(Services::default()), Err),
            Err(_) => Ok(Services::default()),
        }
    }

    /// The first server that may be asked, and whether the domain surely means it.
    fn server(&self, services: Services, security: Security) -> Option<(Server, bool)> {
        let service = services.found.into_iter().find(|s| address_guard::is_public_name(&s.host))?;
        let is_sure = services.is_authentic || domain::aligned(&service.host, &self.account.domain);
        let user = self.account.address.clone();
        Some((Server { host: service.host, port: service.port, security, user }, is_sure))
    }
}
