//! What the names of a domain say of its mail servers (RFC 6186, RFC 8314), asked for by DNS over HTTPS.

use super::{Advisers, Asking, Candidate, FindError, Server, Source, known, no_way};
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

    /// What is known of the house that takes the domain's mail in: who has a name of their own has their mail at another's.
    pub(super) async fn by_exchanger(
        &self,
        resolver: &WebAddress,
        advisers: &Advisers,
        refused: &mut Vec<String>,
    ) -> Result<Option<Candidate>, FindError> {
        let own = &self.account.domain;
        let named = match doh::exchangers(self.dialer, Purpose::Autoconfig, resolver, own).await {
            Ok(named) => named,
            Err(DohError::Http(HttpError::Dial(error))) => return no_way(error).map_or(Ok(None), Err),
            Err(_) => return Ok(None),
        };
        let Some(host) = named.found.into_iter().map(|s| s.host).find(|h| address_guard::is_public_name(h))
        else {
            return Ok(None);
        };
        let house = domain::organisation(&host);
        if house == *own {
            return Ok(None);
        }
        let mut found = known::of_house(&house, self.account);
        for database in advisers.databases.iter().filter_map(|one| one.below(&[&house], &[]).ok()) {
            if found.is_none() {
                found = self.file(&database, false, refused).await?;
            }
        }
        let source = Source::Exchanger { house, is_sure: named.is_authentic };
        Ok(found.map(|found| Candidate { source, ..found }))
    }

    /// The first server that may be asked, and whether the domain surely means it.
    fn server(&self, services: Services, security: Security) -> Option<(Server, bool)> {
        let service = services.found.into_iter().find(|s| address_guard::is_public_name(&s.host))?;
        let is_sure = services.is_authentic || domain::aligned(&service.host, &self.account.domain);
        let user = self.account.address.clone();
        Some((Server { host: service.host, port: service.port, security, user }, is_sure))
    }
}
