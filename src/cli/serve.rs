//! `serve`: the server in the foreground.

use super::args::Global;
use super::ask::{passphrase, passphrase_file};
use super::socket::Host;
use crate::engine::failure::Failure;
use crate::engine::import::plain;
use crate::engine::vault::Vault;
use crate::storage::data_dir::DataDir;
use crate::{tasks, web};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Runs the server until it is told to stop.
pub(super) async fn serve(data: &Path, global: &Global, listen: &str, open: bool) -> Result<u8, Failure> {
    let vault = Arc::new(Vault::new(data));
    if DataDir::holds_store(data) {
        vault.take().await?;
        if passphrase_file(global).is_some() {
            vault.unlock(&passphrase(global, "Passphrase")?).await?;
        }
    }
    run(vault, listen, open, "").await
}

/// Binds the port: one that is taken is an error, never another port.
async fn bind(listen: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen).await.map_err(|e| {
        let why = match e.kind() {
            std::io::ErrorKind::AddrInUse => {
                "another program has that port; end it, or choose another with --listen"
            }
            std::io::ErrorKind::PermissionDenied => "this user may not use that port; choose one above 1023",
            std::io::ErrorKind::InvalidInput => "that is no address; write it like 127.0.0.1:7677",
            _ => plain(&e),
        };
        let words = format!("Cannot listen on {listen}: {why}");
        if e.kind() == std::io::ErrorKind::InvalidInput {
            Failure::usage(words)
        } else {
            Failure::failed(words)
        }
    })
}

/// Serves a vault; `words` are said once it is ready.
pub(super) async fn run(vault: Arc<Vault>, listen: &str, open: bool, words: &str) -> Result<u8, Failure> {
    let listener = bind(listen).await?;
    let address =
        listener.local_addr().map_err(|_| Failure::failed("The system does not say which port it gave"))?;
    let named: Vec<String> =
        std::env::var("MAILKEEP_HOSTS").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let door = web::Web::new(Arc::clone(&vault), address, &named);
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    let supervisor = tokio::spawn(tasks::supervise(Arc::clone(&vault), stop.clone()));
    let hosting = tokio::spawn(host(Arc::clone(&vault), stop.clone()));
    let forgetting = tokio::spawn(forget(Arc::clone(&vault), Arc::clone(&door), stop.clone()));
    let url = format!("http://{address}/");
    say(&format!("{words}Mailkeep is ready at {url}\n"))?;
    if let Some(code) = door.setup_code().filter(|_| !vault.exists()) {
        say(&format!("To set it up, enter this code: {code}\n"))?;
    }
    if open {
        browse(&url);
    }
    let ended = {
        let stop = stop.clone();
        let serving = web::serve(Arc::clone(&door), listener, {
            let stop = stop.clone();
            async move { stop.cancelled().await }
        });
        // Pages that listen for news keep their connections open; they need not end first.
        tokio::select! {
            ended = serving => ended,
            () = async { stop.cancelled().await; tokio::time::sleep(std::time::Duration::from_secs(2)).await } => Ok(()),
        }
    };
    stop.cancel();
    for task in [supervisor, hosting, forgetting] {
        if task.await.is_err() {
            tracing::error!("A task of the server did not end well");
        }
    }
    vault.lock().await;
    ended?;
    Ok(0)
}

fn say(words: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(words.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(_) => Err(Failure::failed("Standard output cannot be written")),
    }
}

fn stop_on_signals(stop: &CancellationToken) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let cannot = |_| Failure::failed("The system does not tell us its signals");
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
        interrupt.recv().await;
        std::process::exit(130);
    });
    Ok(())
}

/// Answers on the socket from the moment there is a store.
async fn host(vault: Arc<Vault>, stop: CancellationToken) {
    let mut open = vault.watch();
    while !vault.exists() {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = open.changed() => if changed.is_err() { return },
        }
    }
    match Host::begin(Arc::clone(&vault)) {
        Ok(host) => {
            stop.cancelled().await;
            host.end().await;
        }
        Err(error) => tracing::error!(%error, "Other commands cannot reach this server"),
    }
}

/// Ends all sessions when the store is locked.
async fn forget(vault: Arc<Vault>, door: Arc<web::Web>, stop: CancellationToken) {
    let mut open = vault.watch();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = open.changed() => if changed.is_err() { return },
        }
        if open.borrow_and_update().is_none() {
            door.forget();
        }
    }
}

fn browse(url: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    if std::process::Command::new(opener).arg(url).spawn().is_err() {
        tracing::info!("There is no browser to open; open the address yourself");
    }
}
