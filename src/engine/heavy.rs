//! A gate for messages that take much memory to prepare: they pass one at a time, so that however many are asked for at
//! once, the program stays small, and ordinary ones never wait behind them.

use super::app::App;
use super::failure::Failure;
use super::read::{self, Opened};
use crate::storage::database::messages::MessageRow;
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Markup longer than this, in bytes, waits its turn. Nearly all mail is shorter.
const LONG: usize = 512 << 10;
/// A message larger than this as a whole, in bytes, waits its turn.
const LARGE: u64 = 8 << 20;

static GATE: Semaphore = Semaphore::const_new(1);

/// Held while the work is done, by the work itself: whoever asked may have gone by then. Who has one must not ask for
/// another, and who asks must hold no connection to the database: who has the turn may need one.
pub type Turn = Option<SemaphorePermit<'static>>;

/// Waits until markup of so many bytes may be prepared.
pub async fn markup(bytes: usize) -> Turn {
    // The gate is never closed, so there is always a permit to wait for.
    if bytes > LONG { GATE.acquire().await.ok() } else { None }
}

/// Waits until a message of so many bytes may be opened.
pub async fn message(bytes: u64) -> Turn {
    if bytes > LARGE { GATE.acquire().await.ok() } else { None }
}

/// Opens a message for a page, which shows what was understood of it and seldom looks at its bytes.
///
/// # Errors
/// Damaged, where its seal is broken.
pub async fn open(app: &Arc<App>, row: MessageRow) -> Result<Opened, Failure> {
    let _turn = message(row.size).await;
    let mut opened = read::open_row(app, row).await?;
    (opened.raw, opened.came) = (Vec::new(), None);
    Ok(opened)
}

/// Gives a message that was [opened](open) for a page its bytes back, where there are files to be looked into.
///
/// # Errors
/// Damaged, where its seal is broken.
pub async fn with_files(app: &Arc<App>, opened: Opened) -> Result<Opened, Failure> {
    if opened.message.parts.len() > 1 {
        let _turn = message(opened.row.size).await;
        return read::open_row(app, opened.row).await;
    }
    Ok(opened)
}
