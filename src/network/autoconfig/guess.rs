//! Usual names of mail servers, and what really answers there. It is offered to the owner, never used unasked.

use super::{Asking, Candidate, Server, Source};
use crate::network::dialer::{Purpose, Security};
use crate::network::smtp;
use futures_util::future::join_all;
use tokio::time::timeout;

impl Asking<'_> {
    /// Names that are usual, and what answers there.
    pub(super) async fn guessed(&self) -> Option<Candidate> {
        let domain = &self.account.domain;
        let server = |prefix: &str, port: u16, security: Security| Server {
            host: format!("{prefix}{domain}"),
            port,
            security,
            user: self.account.address.clone(),
        };
        let imap = [
            server("imap.", 993, Security::Tls),
            server("mail.", 993, Security::Tls),
            server("", 993, Security::Tls),
        ];
        let smtp = [
            server("smtp.", 465, Security::Tls),
            server("mail.", 465, Security::Tls),
            server("", 465, Security::Tls),
            server("smtp.", 587, Security::StartTls),
            server("mail.", 587, Security::StartTls),
            server("", 587, Security::StartTls),
        ];
        let imap_answers = join_all(imap.iter().map(|server| self.answers_imap(server)));
        let smtp_answers = join_all(smtp.iter().map(|server| self.answers_smtp(server)));
        let (imap_answers, smtp_answers) = tokio::join!(imap_answers, smtp_answers);
        let first = |servers: &[Server], answers: &[bool]| {
            servers.iter().zip(answers).find(|(_, answers)| **answers).map(|(server, _)| server.clone())
        };
        let (imap, smtp) = (first(&imap, &imap_answers)?, first(&smtp, &smtp_answers)?);
        Some(Candidate { imap, smtp, source: Source::Guess, note: None })
    }

    /// A certificate for the right name is proof enough on the port of IMAP over TLS.
    async fn answers_imap(&self, server: &Server) -> bool {
        let probe =
            self.dialer.connect_public(Purpose::Autoconfig, &server.host, server.port, server.security);
        timeout(self.patience, probe).await.is_ok_and(|connection| connection.is_ok())
    }

    async fn answers_smtp(&self, server: &Server) -> bool {
        let probe = smtp::greets(self.dialer, &server.host, server.port, server.security);
        timeout(self.patience, probe).await.unwrap_or(false)
    }
}
