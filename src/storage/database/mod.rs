//! The SQLCipher database: everything that changes. The only SQL of the program is in this directory.
//!
//! One connection writes, several read. Readers are opened `query_only`, so a page cannot change anything by accident.
//! Functions take a connection and one thing to do; what belongs together goes into one [`Writer::begin`] transaction.

pub mod accounts;
pub mod avatars;
pub mod devices;
pub mod displaced;
pub mod drafts;
mod held;
pub mod invitations;
pub mod keys;
pub mod lookups;
pub mod messages;
pub mod outbox;
pub mod passkeys;
pub mod peers;
pub mod pictures;
pub mod places;
pub mod remote_access;
pub mod roles;
pub mod senders;
pub mod settings;
pub mod shared;
pub mod signatures;
pub mod skipped;
pub mod tags;
pub mod threads;

pub use accounts::{AccountRow, FolderRow};
pub use avatars::AvatarRow;
pub use drafts::DraftRow;
pub use invitations::InvitationRow;
pub use keys::{DecisionRow, OwnKeyRow, PeerKeyRow};
pub use lookups::{CandidateRow, LookupRow, PublicationRow};
pub use messages::{MessageRow, NewMessage, Stored};
pub use outbox::{OutboxRow, RecipientRow};
pub use passkeys::PasskeyRow;
pub use peers::{EnvelopeRow, PeerRow};
pub use pictures::PictureRow;
pub use places::PlaceRow;
pub use remote_access::{DeviceRow, FactorRow, OnionRow};
pub use senders::SenderRow;
pub use settings::{PersonRow, TokenRow};
pub use signatures::SignatureRow;
pub use tags::TagChanges;

use crate::crypto::secret::Key;
use crate::mail::ids::MessageNumber;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::time::Duration;

/// Why the database could not do something.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file is no database of this store: another key, or damaged from the start.
    #[error("the database does not open with this store's key; run `mailkeep check --repair` to rebuild it")]
    Damaged,
    /// No room, no permission, or a file system that cannot be written to.
    #[error("the database could not be written: {0}; nothing that was saved before is lost")]
    Disk(&'static str),
    /// Anything else that SQLite says.
    #[error("the database failed: {0}")]
    Other(String),
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        let code =
            error.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<i32>().ok()).unwrap_or(0);
        match code & 0xff {
            13 => Self::Disk("the disk is full"),
            10 => Self::Disk("the disk reports an error, or is full"),
            8 => Self::Disk("the file system is read-only"),
            14 => Self::Disk("the file cannot be opened"),
            11 | 26 => Self::Damaged,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for DatabaseError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::Execute(error) => error.into(),
            other => Self::Other(other.to_string()),
        }
    }
}

/// A connection in use: readers and transactions both give one.
pub type Connection = SqliteConnection;

/// The reading side.
#[derive(Clone, Debug)]
pub struct Reader(SqlitePool);

/// The writing side: one connection.
#[derive(Clone, Debug)]
pub struct Writer(SqlitePool);

/// Tables that are empty in every copy, and how they are emptied there: pictures of people, the keys of other pictures, tokens,
/// what lets somebody in from afar, or a code that was used would work again, and all that makes this store one of the owner's
/// devices, so that a restored one cannot pass for it.
const FORGOTTEN: [(&str, &str); 15] = [
    ("avatar", "DELETE FROM snapshot.avatar"),
    ("picture", "DELETE FROM snapshot.picture"),
    ("token", "DELETE FROM snapshot.token"),
    ("second_factor", "DELETE FROM snapshot.second_factor"),
    ("spare_code", "DELETE FROM snapshot.spare_code"),
    ("remote_device", "DELETE FROM snapshot.remote_device"),
    ("passkey", "DELETE FROM snapshot.passkey"),
    ("device_own", "DELETE FROM snapshot.device_own"),
    ("device_statement", "DELETE FROM snapshot.device_statement"),
    ("device_other", "DELETE FROM snapshot.device_other"),
    ("device_told", "DELETE FROM snapshot.device_told"),
    ("device_letter", "DELETE FROM snapshot.device_letter"),
    ("device_shared", "DELETE FROM snapshot.device_shared"),
    ("device_dismissed", "DELETE FROM snapshot.device_dismissed"),
    ("device_former", "DELETE FROM snapshot.device_former"),
];

/// Changes that are made together or not at all.
pub type Changes = Transaction<'static, Sqlite>;

impl Reader {
    /// A connection that can only read. There are few: a task that holds one and asks for another may wait for itself, so
    /// none does.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn get(&self) -> Result<Reading, DatabaseError> {
        let held = held::Held::note();
        Ok(Reading { connection: self.0.acquire().await?, _held: held })
    }
}

/// A connection that can only read, until it is dropped.
pub struct Reading {
    connection: PoolConnection<Sqlite>,
    _held: held::Held,
}

impl Deref for Reading {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Reading {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Writer {
    /// Begins a transaction; it is rolled back unless committed.
    ///
    /// # Errors
    /// When the file cannot be opened or locked.
    pub async fn begin(&self) -> Result<Changes, DatabaseError> {
        Ok(self.0.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Empties the write-ahead log into the database file and truncates it.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn checkpoint(&self) -> Result<(), DatabaseError> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.0).await?;
        Ok(())
    }

    /// Writes a consistent copy of the database to a new file under a key of its own, without what is [`FORGOTTEN`] there: what
    /// is thrown away shall not come back.
    ///
    /// # Errors
    /// When the disk fails or the file exists.
    pub async fn copy_to(&self, path: &Path, key: &Key) -> Result<(), DatabaseError> {
        let mut connection = self.0.acquire().await?;
        let attached = sqlx::query("ATTACH DATABASE ? AS snapshot KEY ?")
            .bind(path.to_string_lossy().into_owned())
            .bind(key_pragma(key).trim_matches('"').to_owned())
            .execute(&mut *connection)
            .await;
        attached?;
        let copied = async {
            sqlx::query("SELECT sqlcipher_export('snapshot')").execute(&mut *connection).await?;
            for (table, forget) in FORGOTTEN {
                // A database that is yet to be brought up to date may not have it.
                let there: i64 =
                    sqlx::query_scalar("SELECT COUNT(*) FROM snapshot.sqlite_schema WHERE name = ?")
                        .bind(table)
                        .fetch_one(&mut *connection)
                        .await?;
                if there > 0 {
                    sqlx::query(forget).execute(&mut *connection).await?;
                }
            }
            Ok::<_, sqlx::Error>(())
        }
        .await;
        sqlx::query("DETACH DATABASE snapshot").execute(&mut *connection).await?;
        copied?;
        Ok(())
    }
}

/// Commits, so that it survives a power cut once this returns.
///
/// # Errors
/// When the disk fails; then nothing of it happened.
pub async fn commit(changes: Changes) -> Result<(), DatabaseError> {
    Ok(changes.commit().await?)
}

fn key_pragma(key: &Key) -> String {
    format!("\"x'{}'\"", data_encoding::HEXLOWER.encode(key.expose()))
}

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

fn options(path: &Path, key: &Key) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .pragma("key", key_pragma(key))
        .pragma("cipher_log_level", "NONE")
        .pragma("temp_store", "MEMORY")
}

/// Opens a database that is there for writing and leaves its tables as they are, where a newer version of the program
/// would change them; `None` where [`open`] changes nothing.
///
/// # Errors
/// [`DatabaseError::Damaged`] with a wrong key or where the file is no database.
pub async fn before_migrating(path: &Path, key: &Key) -> Result<Option<Writer>, DatabaseError> {
    if !path.exists() || is_whole_but_read_only(path) {
        return Ok(None);
    }
    // It is there; only with this may a copy be made where there is none.
    let options = options(path, key).create_if_missing(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    let done: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
        .fetch_one(&pool)
        .await?;
    if done > 0 {
        let done: Vec<i64> =
            sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(&pool).await?;
        if MIGRATIONS.iter().any(|migration| !done.contains(&migration.version)) {
            return Ok(Some(Writer(pool)));
        }
    }
    pool.close().await;
    Ok(None)
}

/// Verifies a database that nobody has open, without changing a byte of it; gives what SQLite complains of. A log beside
/// it is not looked at.
///
/// # Errors
/// [`DatabaseError::Damaged`] where it cannot be read at all; others where the disk fails.
pub async fn inspect(path: &Path, key: &Key) -> Result<Vec<String>, DatabaseError> {
    examine(options(path, key).read_only(true).immutable(true)).await
}

/// The same together with its log, which is finished on the way. No table is changed.
///
/// # Errors
/// As [`inspect`].
pub async fn inspect_with_log(path: &Path, key: &Key) -> Result<Vec<String>, DatabaseError> {
    examine(options(path, key)).await
}

async fn examine(options: SqliteConnectOptions) -> Result<Vec<String>, DatabaseError> {
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(unreadable)?;
    let complaints = match pool.acquire().await {
        Ok(mut connection) => integrity(&mut connection).await,
        Err(error) => Err(unreadable(error)),
    };
    pool.close().await;
    complaints
}

/// What SQLite says where its tables cannot even be listed. The statements themselves are right, so "logic error" is damage.
fn unreadable(error: sqlx::Error) -> DatabaseError {
    let code = error.as_database_error().and_then(|e| e.code()).map(|code| code.into_owned());
    if code.as_deref() == Some("1") { DatabaseError::Damaged } else { error.into() }
}

/// Opens the database at `path`, makes it where there is none, and brings its tables up to date.
///
/// # Errors
/// [`DatabaseError::Damaged`] with a wrong key or where the file is no database.
pub async fn open(path: &Path, key: &Key) -> Result<(Reader, Writer), DatabaseError> {
    let options = options(path, key);
    if is_whole_but_read_only(path) {
        return open_read_only(options).await;
    }
    let options = options
        .pragma("secure_delete", "ON")
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(30))
        .statement_cache_capacity(200);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(Duration::from_secs(600))
        .connect_with(options.clone().create_if_missing(true).pragma("cache_size", "-8000"))
        .await?;
    MIGRATIONS.run(&writer).await?;
    let reader = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(60))
        .connect_with(options.pragma("query_only", "ON").pragma("cache_size", "-4000"))
        .await?;
    Ok((Reader(reader), Writer(writer)))
}

/// Opens a database that is there for one look while the store stays closed: its tables are left as they are, and what is
/// committed survives a power cut.
///
/// # Errors
/// [`DatabaseError::Damaged`] with a wrong key or where the file is no database.
pub async fn open_for_a_look(path: &Path, key: &Key) -> Result<Writer, DatabaseError> {
    let options = options(path, key)
        .pragma("secure_delete", "ON")
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5));
    Ok(Writer(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?))
}

/// Whether the database lies on a disk that cannot be written to, with nothing left in its write-ahead log.
fn is_whole_but_read_only(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let opened = std::fs::OpenOptions::new().write(true).open(path);
    opened.is_err_and(|e| e.kind() == std::io::ErrorKind::ReadOnlyFilesystem)
        && std::fs::metadata(log).map_or(true, |log| log.len() == 0)
}

/// Reading goes on there. A write-ahead log cannot be made, so SQLite is told that nobody changes the file.
async fn open_read_only(options: SqliteConnectOptions) -> Result<(Reader, Writer), DatabaseError> {
    tracing::warn!("The file system is read-only: mail can be read, and nothing changed");
    let options = options.read_only(true).immutable(true).foreign_keys(true);
    let pool = |most| SqlitePoolOptions::new().max_connections(most).connect_with(options.clone());
    Ok((Reader(pool(4).await?), Writer(pool(1).await?)))
}

impl Reader {
    /// Closes all connections.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

impl Writer {
    /// Closes the connection, after which the write-ahead log is gone.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

/// All tables and indexes as SQL, for the test that shows the schema as it is.
///
/// # Errors
/// When the database cannot be read.
pub async fn schema(connection: &mut Connection) -> Result<Vec<String>, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
        .fetch_all(connection)
        .await?)
}

/// Every value of every table as text, bytes in hexadecimal, for tests that look for what must be gone.
#[cfg(test)]
pub(crate) async fn everything(c: &mut Connection) -> Result<String, DatabaseError> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'").fetch_all(&mut *c).await?;
    let mut all = String::new();
    for table in tables {
        let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
            .bind(&table)
            .fetch_all(&mut *c)
            .await?;
        let values: Vec<String> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
        let question = format!("SELECT {} FROM \"{table}\"", values.join(" || ' ' || "));
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(question)).fetch_all(&mut *c).await?;
        all.push_str(&rows.join("\n"));
    }
    Ok(all)
}

/// Asks SQLite to verify its own pages; gives what it complains of.
///
/// # Errors
/// When the database cannot be read at all.
pub async fn integrity(connection: &mut Connection) -> Result<Vec<String>, DatabaseError> {
    let words: Vec<String> = sqlx::query_scalar("SELECT * FROM pragma_integrity_check")
        .fetch_all(&mut *connection)
        .await
        .map_err(unreadable)?;
    let cipher: Vec<String> = sqlx::query_scalar("PRAGMA cipher_integrity_check")
        .fetch_all(connection)
        .await
        .map_err(unreadable)?;
    Ok(words.into_iter().filter(|w| w != "ok").chain(cipher).collect())
}

/// A list of numbers as JSON, for `IN (SELECT value FROM json_each(?))`.
fn json_numbers(numbers: impl IntoIterator<Item = MessageNumber>) -> String {
    let mut out = String::from("[");
    for number in numbers {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&number.0.to_string());
    }
    out.push(']');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_that_will_get_new_tables_is_known_and_can_be_copied_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let (path, key) = (home.path().join("database"), Key::random());
        let (reader, writer) = open(&path, &key).await.unwrap();
        sqlx::query("INSERT INTO setting (key, value) VALUES ('theme', 'dark')")
            .execute(&writer.0)
            .await
            .unwrap();
        assert!(before_migrating(&path, &key).await.unwrap().is_none(), "nothing is to be changed");
        sqlx::query("DELETE FROM _sqlx_migrations").execute(&writer.0).await.unwrap();
        sqlx::query("DROP TABLE picture").execute(&writer.0).await.unwrap();
        reader.close().await;
        writer.close().await;
        let writer = before_migrating(&path, &key).await.unwrap().unwrap();
        let (copy, its_key) = (home.path().join("copy"), Key::random());
        writer.copy_to(&copy, &its_key).await.unwrap();
        writer.close().await;
        let before = std::fs::read(&copy).unwrap();
        assert_eq!(inspect(&copy, &its_key).await.unwrap(), Vec::<String>::new());
        assert_eq!(std::fs::read(&copy).unwrap(), before);
        assert!(matches!(before_migrating(&path, &Key::random()).await, Err(DatabaseError::Damaged)));
    }
}
