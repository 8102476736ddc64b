//! `mailkeep recovery`: what opens the store when the passphrase is forgotten.

use super::args::{Global, Recovery};
use super::ask::{passphrase, prompted, read_bounded, secret_file, store_must_be_there};
use super::output;
use super::socket::{self, Ask, Asked};
use crate::engine::failure::Failure;
use crate::engine::recovery;
use crate::engine::request::Answer;
use crate::engine::vault::Vault;
use serde_json::json;
use std::path::{Path, PathBuf};

pub(super) async fn dispatch(data: &Path, global: &Global, command: Recovery) -> Result<u8, Failure> {
    match command {
        Recovery::Make => make(data, global).await,
        Recovery::Split { need, of, key_file } => split(data, global, need, of, key_file.as_deref()),
        Recovery::Join { files } => join(global, &files),
    }
}

async fn make(data: &Path, global: &Global) -> Result<u8, Failure> {
    store_must_be_there(data)?;
    let words = passphrase(global, "Passphrase")?;
    let answer = match socket::ask(data, &words, Ask::MakeRecoveryKey, &crate::engine::events::Nobody).await?
    {
        Asked::Answered(answer) => answer?,
        Asked::Nobody => {
            let vault = Vault::new(data);
            vault.take().await?;
            let key = recovery::make(&vault, &words).await?;
            Answer::Json(json!({"recovery_key": key.to_text().expose()}))
        }
    };
    output::print(&answer, output::What::RecoveryKey, global.json)
}

/// The vault's file alone is looked at, so it works whoever has the store open.
fn split(data: &Path, global: &Global, need: u8, of: u8, file: Option<&Path>) -> Result<u8, Failure> {
    store_must_be_there(data)?;
    let key = match file {
        Some(file) => secret_file(file, "recovery key")?,
        None => prompted("Recovery key", "the recovery key with --key-file FILE")?,
    };
    let shares = recovery::split(data, &key, need, of)?;
    let shares: Vec<String> = shares.iter().map(|share| share.to_text().to_string()).collect();
    let answer = Answer::Json(json!({"need": need, "of": of, "shares": shares}));
    output::print(&answer, output::What::Shares, global.json)
}

/// Needs no store: it may be on a machine that has none yet.
fn join(global: &Global, files: &[PathBuf]) -> Result<u8, Failure> {
    let mut texts = Vec::new();
    for file in files {
        let bytes = read_bounded(file, recovery::LONGEST as u64)?;
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let key = recovery::join(&texts)?;
    let answer = Answer::Json(json!({"recovery_key": key.to_text().expose()}));
    output::print(&answer, output::What::RecoveryKey, global.json)
}
