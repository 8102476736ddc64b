//! The shell's door: arguments in, one answer out, an exit status.

mod args;
mod ask;
mod demo;
mod output;
mod recovery;
mod remote_access;
mod serve;
mod socket;
mod watch;

use crate::engine::failure::{Failure, Kind};
use clap::Parser;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};

/// Runs the program with the arguments of this process; gives its exit status.
#[must_use]
pub fn run() -> u8 {
    if std::env::args_os().nth(1).is_some_and(|word| word == crate::worker::WORD) {
        return crate::worker::child::run(
            std::env::args_os().skip(2).filter_map(|word| word.into_string().ok()),
        );
    }
    let arguments = args::forward(std::env::args_os().collect::<Vec<OsString>>());
    let arguments = match args::Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => return report(&Failure::usage(wrong_usage(&error))),
        Err(help) => {
            drop(help.print());
            return 0;
        }
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_env_filter(filter())
        .init();
    if let Err(error) = crate::storage::data_dir::harden_process() {
        tracing::warn!(%error, "This process could not be kept out of core dumps");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(_) => return report(&Failure::failed("The system gives no threads to run on")),
    };
    let result = runtime.block_on(ask::dispatch(arguments));
    if crate::network::dialer::leaves_a_thread() {
        // All that had to be finished is: the store was closed.
        std::mem::forget(runtime);
    } else {
        runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    }
    match result {
        Ok(status) => status,
        Err(failure) => report(&failure),
    }
}

/// What is wrong with the arguments, as one sentence.
fn wrong_usage(error: &clap::Error) -> String {
    use clap::error::ErrorKind::{DisplayHelpOnMissingArgumentOrSubcommand, MissingSubcommand};
    if matches!(error.kind(), DisplayHelpOnMissingArgumentOrSubcommand | MissingSubcommand) {
        return "Say what to do; `mailkeep help` lists what there is".to_owned();
    }
    let text = error.render().to_string();
    // What is wrong, and what it may have been meant to be; not the usage, which is a page of its own.
    let said = text.split("\n\nUsage:").next().unwrap_or_default();
    let said = said.split("\n\nFor more information").next().unwrap_or_default();
    let one_line = |piece: &str| piece.split_whitespace().collect::<Vec<_>>().join(" ");
    let pieces = said.trim_start_matches("error:").split("tip:").map(one_line);
    let pieces: Vec<_> = pieces.filter(|piece| !piece.is_empty()).collect();
    format!("{}; `mailkeep help COMMAND` tells more", pieces.join("; "))
}

/// What is logged: our own words, nothing that the libraries say of what they carry.
fn filter() -> tracing_subscriber::EnvFilter {
    let own = std::env::var("MAILKEEP_LOG").unwrap_or_else(|_| "info".into());
    let level = if ["error", "warn", "info", "debug"].contains(&own.as_str()) { own } else { "info".into() };
    tracing_subscriber::EnvFilter::new(format!(
        "error,sqlx=off,async_imap=off,arti_client=off,tor_=off,webauthn_rs=off,mailkeep={level}"
    ))
}

/// Says what failed in one line, and gives the exit status for it.
fn report(failure: &Failure) -> u8 {
    let words: String = failure.words.split_whitespace().collect::<Vec<_>>().join(" ");
    drop(writeln!(std::io::stderr(), "mailkeep: {}", words.trim_end_matches('.')));
    match failure.kind {
        Kind::Failed | Kind::Refused => 1,
        Kind::Usage => 2,
        Kind::Locked => 3,
        Kind::NotFound => 4,
        Kind::Damaged => 5,
    }
}
