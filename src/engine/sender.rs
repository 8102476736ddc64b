//! Who a message is from: the facts of `mail::sender`, held against the people of the store. One look-up for a message; the
//! people themselves are laid out once and kept until mail comes or goes.

use super::app::App;
use super::failure::Failure;
use crate::mail::address::canonical;
use crate::mail::message::Message;
pub use crate::mail::sender::SenderStanding;
use crate::mail::sender::{self, Acquaintance, Circle, Fact, History};
use crate::storage::database::Connection;
use crate::storage::database::messages::MessageRow;
use crate::storage::database::{keys, settings};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// So many people are held against a sender: those the owner writes to first, then the most recent.
const MOST_PEOPLE: u32 = 5000;

/// What is to be known of a sender.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The facts, the weightiest first; none for ordinary mail.
    pub facts: Vec<Fact>,
    /// How well the owner knows the address.
    pub standing: SenderStanding,
}

/// The people laid out, kept until somebody new writes or is written to.
#[derive(Default)]
pub(in crate::engine) struct Acquaintances {
    laid_out: Mutex<Option<Arc<Circle>>>,
    changes: AtomicU64,
}

impl Acquaintances {
    /// Somebody wrote, or was written to.
    pub(in crate::engine) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        *self.laid_out.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn get(&self, app: &App, reader: &mut Connection) -> Result<Arc<Circle>, Failure> {
        if let Some(circle) = self.laid_out.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(circle);
        }
        let before = self.changes.load(Ordering::SeqCst);
        let people = settings::known_people(reader, MOST_PEOPLE).await?;
        let people = people.into_iter().map(|person| Acquaintance {
            address: person.address,
            name: person.name,
            written: person.sent > 0,
        });
        let circle = Arc::new(Circle::new(people, &app.own_addresses()));
        let mut laid_out = self.laid_out.lock().unwrap_or_else(PoisonError::into_inner);
        // What was read before a change must not outlive it.
        if self.changes.load(Ordering::SeqCst) == before {
            *laid_out = Some(Arc::clone(&circle));
        }
        Ok(circle)
    }
}

/// What is to be known of a message's sender.
///
/// # Errors
/// When the store fails.
pub async fn of(
    app: &App,
    reader: &mut Connection,
    row: &MessageRow,
    message: &Message,
) -> Result<Sender, Failure> {
    let circle = app.acquaintances.get(app, reader).await?;
    let address = message.from.first().map(|from| canonical(&from.address)).unwrap_or_default();
    let person = settings::one_person(reader, &address).await?;
    let history = History {
        written: circle.is_own(&address) || person.as_ref().is_some_and(|person| person.sent > 0),
        heard_before: person.is_some_and(|person| person.first_at < row.received_at),
    };
    let facts = sender::facts(message, &circle, history);
    Ok(Sender { standing: sender::standing(&facts, history), facts })
}

/// Whose name a message bears that comes from elsewhere: that of a correspondent, or of the holder of a certificate.
///
/// # Errors
/// When the store fails.
pub async fn name_of_another(
    app: &App,
    reader: &mut Connection,
    message: &Message,
) -> Result<Option<String>, Failure> {
    let [from] = message.from.as_slice() else { return Ok(None) };
    let address = canonical(&from.address);
    let circle = app.acquaintances.get(app, reader).await?;
    if from.name.trim().is_empty() || circle.is_own(&address) {
        return Ok(None);
    }
    if circle.known_elsewhere(&from.address, &from.name).is_some() {
        return Ok(Some(from.name.clone()));
    }
    // Whom the owner knows may bear the name of somebody else.
    if circle.is_known(&address) {
        return Ok(None);
    }
    let held = keys::addresses_of_name(reader, &super::peers::folded(&from.name)).await?;
    Ok((!held.is_empty() && !held.contains(&address)).then(|| from.name.clone()))
}

/// How well the owner knows the sender of a message.
///
/// # Errors
/// When the store fails.
pub async fn standing(app: &App, row: &MessageRow, message: &Message) -> Result<SenderStanding, Failure> {
    Ok(of(app, &mut *app.reader.get().await?, row, message).await?.standing)
}
