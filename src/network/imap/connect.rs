//! From a name and a password to a session: greeting, STARTTLS, login, what the server can do.

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::command::Command;
use super::response::{Response, Status};
use super::session::Session;
use super::{ImapError, Limits, Login};
use crate::network::dialer::{Dialer, Purpose, Security};
use crate::network::wire::Wire;

impl Session {
    /// Connects and logs in.
    ///
    /// The password is never sent in clear unless the owner chose [`Security::None`].
    ///
    /// # Errors
    /// Says whether there is no connection, no security, or no way in.
    pub async fn open(dialer: &Dialer, login: &Login) -> Result<Self, ImapError> {
        Self::open_within(dialer, login, Limits::default()).await
    }

    /// The same with other limits.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open_within(dialer: &Dialer, login: &Login, limits: Limits) -> Result<Self, ImapError> {
        let ca = login.ca.as_deref();
        let dialer = dialer.through_tor(login.by_tor);
        let stream = dialer.connect(Purpose::Imap, &login.host, login.port, login.security, ca).await?;
        let wire = Wire::new(stream, limits.silence);
        let mut session = Self::new(wire, login.host.clone(), limits);
        let greeted_in = session.greeting().await?;
        if login.security == Security::StartTls {
            // PREAUTH would spare the attacker the encryption (RFC 9051 §11.1).
            if greeted_in {
                return Err(ImapError::NoTls { host: session.host });
            }
            session = session.start_tls().await?;
        }
        if !greeted_in {
            session.ask_capabilities().await?;
            session.log_in(login).await?;
        }
        session.ask_capabilities().await?;
        Ok(session)
    }

    /// Reads the server's first words; true means that we are logged in already.
    async fn greeting(&mut self) -> Result<bool, ImapError> {
        match self.next().await? {
            Response::Status { status: Status::Ok, .. } => Ok(false),
            Response::Status { status: Status::PreAuth, .. } => Ok(true),
            Response::Status { status: Status::Bye, words, .. } => Err(self.lost(&words)),
            _ => Err(self.protocol("it does not greet like an IMAP server")),
        }
    }

    async fn start_tls(mut self) -> Result<Self, ImapError> {
        match self.run(Command::new("STARTTLS")).await {
            Ok(_) => {}
            Err(ImapError::No { .. }) => {
                return Err(ImapError::NoTls { host: self.host });
            }
            Err(other) => return Err(other),
        }
        let (host, limits) = (self.host.clone(), self.limits.clone());
        // What was said in clear may be an attacker's word: the session begins anew, with nothing known.
        Ok(Self::new(self.into_wire().upgrade().await?, host, limits))
    }

    /// Asks what the server can do, unless it said so already.
    async fn ask_capabilities(&mut self) -> Result<(), ImapError> {
        if !self.capabilities.iter().any(|capability| capability.starts_with("IMAP4")) {
            self.run(Command::new("CAPABILITY")).await?;
        }
        Ok(())
    }

    async fn log_in(&mut self, login: &Login) -> Result<(), ImapError> {
        let result = if self.offers("AUTH=PLAIN") {
            self.plain(login).await
        } else if !self.offers("LOGINDISABLED") {
            let command = Command::new("LOGIN ").text(&login.user)?.raw(" ");
            self.run_login(command.text(login.password.expose())?).await
        } else if self.offers("AUTH=LOGIN") {
            self.challenged(login).await
        } else {
            return Err(ImapError::NoLogin { host: self.host.clone() });
        };
        result.map_err(|error| self.refused(error))
    }

    async fn run_login(&mut self, command: Command) -> Result<(), ImapError> {
        self.begin_login();
        self.run(command).await.map(|_| ())
    }

    /// SASL PLAIN (RFC 4616), in one step where the server allows it (RFC 4959).
    async fn plain(&mut self, login: &Login) -> Result<(), ImapError> {
        if login.user.contains('\0') || login.password.expose().contains('\0') {
            return Err(ImapError::NotSayable { what: "the password holds a NUL byte".into() });
        }
        let both = Zeroizing::new(format!("\0{}\0{}", login.user, login.password.expose()));
        let response = Zeroizing::new(BASE64.encode(both.as_bytes()));
        if self.offers("SASL-IR") {
            let command = Command::new("AUTHENTICATE PLAIN ").raw(&response);
            return self.run_login(command).await;
        }
        self.dialogue("PLAIN", &[&response]).await
    }

    /// The old LOGIN mechanism: it asks for the name, then for the password.
    async fn challenged(&mut self, login: &Login) -> Result<(), ImapError> {
        let user = BASE64.encode(login.user.as_bytes());
        let password = Zeroizing::new(BASE64.encode(login.password.expose().as_bytes()));
        self.dialogue("LOGIN", &[&user, &password]).await
    }

    async fn dialogue(&mut self, mechanism: &str, answers: &[&str]) -> Result<(), ImapError> {
        self.begin_login();
        let deadline = tokio::time::Instant::now() + self.limits.command;
        let command = Command::new("AUTHENTICATE ").raw(mechanism);
        let tag = self.begin(command, &mut |_| {}).await?;
        for answer in answers {
            self.await_continuation(&tag, &mut |_| {}).await?;
            let line = Zeroizing::new(format!("{answer}\r\n"));
            self.send(line.as_bytes()).await?;
        }
        self.finish(&tag, deadline, |_| {}).await.map(|_| ())
    }

    /// What the server could do before the login may not be what it can do after.
    fn begin_login(&mut self) {
        self.capabilities.retain(|capability| capability.starts_with("LITERAL"));
    }

    fn refused(&self, error: ImapError) -> ImapError {
        match error {
            ImapError::No { words, code, .. } => ImapError::Refused {
                host: self.host.clone(),
                words: words.trim_end_matches('.').to_owned(),
                temporary: code
                    .as_deref()
                    .is_some_and(|code| matches!(code, "UNAVAILABLE" | "INUSE" | "LIMIT")),
            },
            other => other,
        }
    }
}
