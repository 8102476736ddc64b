//! The servers of large providers, so that nobody has to be asked about them.

use super::{Account, Candidate, Server, Source};
use crate::network::dialer::Security;

const APP_PASSWORD: &str = "This provider wants a password of its own for mail programs (an app password): make one in its settings first.";
const SWITCH_ON: &str =
    "Mail programs have to be allowed (IMAP switched on) in this provider's settings first.";
const OAUTH_ONLY: &str = "This provider may refuse passwords from mail programs altogether; an app password works for some accounts.";

struct Provider {
    domains: &'static [&'static str],
    imap: &'static str,
    smtp: &'static str,
    smtp_port: u16,
    smtp_security: Security,
    note: Option<&'static str>,
}

const fn provider(
    domains: &'static [&'static str],
    imap: &'static str,
    smtp: &'static str,
    note: Option<&'static str>,
) -> Provider {
    Provider { domains, imap, smtp, smtp_port: 465, smtp_security: Security::Tls, note }
}

#[expect(clippy::needless_pass_by_value, reason = "a constant is built up")]
const fn start_tls(provider: Provider) -> Provider {
    Provider { smtp_port: 587, smtp_security: Security::StartTls, ..provider }
}

/// All of them have IMAP with TLS on port 993, and the whole address as the user name.
const PROVIDERS: &[Provider] = &[
    provider(&["gmail.com", "googlemail.com"], "imap.gmail.com", "smtp.gmail.com", Some(APP_PASSWORD)),
    start_tls(provider(
        &[
            "outlook.com",
            "hotmail.com",
            "live.com",
            "msn.com",
            "outlook.de",
            "hotmail.de",
            "live.de",
            "hotmail.fr",
            "hotmail.co.uk",
        ],
        "outlook.office365.com",
        "smtp-mail.outlook.com",
        Some(OAUTH_ONLY),
    )),
    start_tls(provider(
        &["icloud.com", "me.com", "mac.com"],
        "imap.mail.me.com",
        "smtp.mail.me.com",
        Some(APP_PASSWORD),
    )),
    provider(
        &["yahoo.com", "yahoo.de", "yahoo.fr", "yahoo.co.uk", "ymail.com", "rocketmail.com"],
        "imap.mail.yahoo.com",
        "smtp.mail.yahoo.com",
        Some(APP_PASSWORD),
    ),
    provider(&["aol.com", "aol.de"], "imap.aol.com", "smtp.aol.com", Some(APP_PASSWORD)),
    provider(&["fastmail.com", "fastmail.fm"], "imap.fastmail.com", "smtp.fastmail.com", Some(APP_PASSWORD)),
    provider(&["gmx.de", "gmx.net", "gmx.at", "gmx.ch"], "imap.gmx.net", "mail.gmx.net", Some(SWITCH_ON)),
    provider(&["gmx.com"], "imap.gmx.com", "mail.gmx.com", Some(SWITCH_ON)),
    start_tls(provider(&["web.de"], "imap.web.de", "smtp.web.de", Some(SWITCH_ON))),
    provider(
        &["t-online.de", "magenta.de"],
        "secureimap.t-online.de",
        "securesmtp.t-online.de",
        Some(APP_PASSWORD),
    ),
    provider(&["freenet.de"], "mx.freenet.de", "mx.freenet.de", None),
    provider(&["posteo.de", "posteo.net", "posteo.org", "posteo.eu"], "posteo.de", "posteo.de", None),
    provider(&["mailbox.org"], "imap.mailbox.org", "smtp.mailbox.org", None),
    provider(&["riseup.net"], "mail.riseup.net", "mail.riseup.net", None),
    provider(&["disroot.org"], "disroot.org", "disroot.org", None),
    provider(&["systemli.org"], "mail.systemli.org", "mail.systemli.org", None),
    provider(&["zoho.com", "zohomail.com"], "imap.zoho.com", "smtp.zoho.com", Some(SWITCH_ON)),
    provider(&["yandex.com", "yandex.ru", "ya.ru"], "imap.yandex.com", "smtp.yandex.com", Some(APP_PASSWORD)),
    provider(
        &["mail.ru", "inbox.ru", "bk.ru", "list.ru"],
        "imap.mail.ru",
        "smtp.mail.ru",
        Some(APP_PASSWORD),
    ),
    provider(&["orange.fr", "wanadoo.fr"], "imap.orange.fr", "smtp.orange.fr", None),
    provider(&["free.fr"], "imap.free.fr", "smtp.free.fr", None),
    provider(&["laposte.net"], "imap.laposte.net", "smtp.laposte.net", None),
    provider(&["infomaniak.com", "ik.me"], "mail.infomaniak.com", "mail.infomaniak.com", None),
    provider(&["runbox.com"], "mail.runbox.com", "mail.runbox.com", None),
    provider(&["163.com"], "imap.163.com", "smtp.163.com", Some(SWITCH_ON)),
    provider(&["qq.com"], "imap.qq.com", "smtp.qq.com", Some(SWITCH_ON)),
];

pub(super) fn candidate(account: &Account) -> Option<Candidate> {
    of_house(&account.domain, account)
}

/// The servers of a house for somebody whose domain may be another.
pub(super) fn of_house(house: &str, account: &Account) -> Option<Candidate> {
    let provider = PROVIDERS.iter().find(|provider| provider.domains.contains(&house))?;
    let server = |host: &str, port, security| Server {
        host: host.into(),
        port,
        security,
        user: account.address.clone(),
    };
    Some(Candidate {
        imap: server(provider.imap, 993, Security::Tls),
        smtp: server(provider.smtp, provider.smtp_port, provider.smtp_security),
        source: Source::Known,
        note: provider.note.map(Into::into),
    })
}
