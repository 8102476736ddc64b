//! `demo`: a throw-away store with sample mail, gone when it ends.

use super::serve;
use crate::crypto::passphrase::Cost;
use crate::crypto::secret::{SecretText, random};
use crate::engine::failure::Failure;
use crate::engine::receive::{Incoming, Origin, receive};
use crate::engine::settings;
use crate::engine::vault::Vault;
use crate::mail::demo;
use std::sync::Arc;

/// Serves sample mail until it is told to stop, then removes it.
pub(super) async fn demo(listen: &str) -> Result<u8, Failure> {
    let name = format!("mailkeep-demo-{}", data_encoding::HEXLOWER.encode(&random::<6>()));
    let directory = std::env::temp_dir().join(name);
    let result = filled(&directory, listen).await;
    if let Err(error) = std::fs::remove_dir_all(&directory) {
        tracing::warn!(%error, "The demo's directory could not be removed");
    }
    result
}

async fn filled(directory: &std::path::Path, listen: &str) -> Result<u8, Failure> {
    // A new one each time: whoever can reach the port must not know it from the source.
    let letters = data_encoding::BASE32_NOPAD.encode(&random::<10>()).to_lowercase();
    let groups: Vec<_> = letters.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
    let passphrase = groups.join("-");
    let vault = Arc::new(Vault::new(directory));
    let app = vault.create(&SecretText::new(passphrase.clone()), Some(Cost::MINIMUM)).await?;
    app.claim(demo::OWNER_ADDRESS);
    // The people of the sample are nobody's: no server shall be asked about them.
    settings::set(&app, "tor.mode", "off").await?;
    let mut messages = demo::messages(app.now());
    while !messages.is_empty() {
        let rest = messages.split_off(messages.len().min(100));
        let batch = messages
            .into_iter()
            .map(|m| {
                let mut tags: Vec<String> = m.tags.iter().map(|t| (*t).to_owned()).collect();
                for (tag, on) in [("unread", m.unread), ("starred", m.starred), ("replied", m.replied)] {
                    tags.extend(on.then(|| tag.to_owned()));
                }
                let origin = Origin::Local { role: m.folder_role.to_owned(), tags };
                Incoming { raw: m.raw, received_at: m.received_at, origin }
            })
            .collect();
        receive(&app, batch).await?;
        messages = rest;
    }
    app.indexing.catch_up(&app, &crate::engine::events::Nobody).await?;
    drop(app);
    let words = format!(
        "This is sample mail in a store that is gone when you stop it.\nIts passphrase is: {passphrase}\n"
    );
    serve::run(vault, listen, false, &words).await
}
