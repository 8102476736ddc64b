//! `serve`: the server in the foreground.

use super::args::{Global, Remote};
use super::ask::{passphrase, passphrase_file};
use super::socket::Host;
use crate::engine::failure::Failure;
use crate::engine::import::plain;
use crate::engine::remote_access::unlock_onion;
use crate::engine::vault::Vault;
use crate::storage::data_dir::DataDir;
use crate::web::AfarName;
use crate::{tasks, web};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Runs the server until it is told to stop.
pub(super) async fn serve(
    data: &Path,
    global: &Global,
    listen: &str,
    open: bool,
    remote: Remote,
) -> Result<u8, Failure> {
    let vault = Arc::new(Vault::new(data));
    if DataDir::holds_store(data) {
        vault.take().await?;
        if passphrase_file(global).is_some() {
            vault.unlock(&passphrase(global, "Passphrase")?).await?;
        }
    }
    run(vault, listen, open, remote, "").await
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
pub(super) async fn run(
    vault: Arc<Vault>,
    listen: &str,
    open: bool,
    remote: Remote,
    words: &str,
) -> Result<u8, Failure> {
    let proxied = proxied(&remote)?;
    let listener = bind(listen).await?;
    let port = match &remote.remote_listen {
        Some(listen) => Some(bind(listen).await?),
        None => None,
    };
    let address = address(&listener)?;
    let named: Vec<String> =
        std::env::var("MAILKEEP_HOSTS").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let door = web::Web::new(Arc::clone(&vault), address, &named);
    let far_door = web::Web::remote(Arc::clone(&vault));
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    let url = format!("http://{address}/");
    if let (Some(name), Some(port)) = (&proxied, &port) {
        far_door.change_name(name, true);
        say(&format!("Mailkeep answers for {} at {}\n", name.address(), self::address(port)?))?;
    }
    if vault.app().is_none() && unlock_onion::plan(&vault).is_ok_and(|plan| plan.is_some()) {
        say("The store is locked: it has no onion address but the one by which it is unlocked\n")?;
    } else if remote.onion && vault.app().is_none() {
        say("The store is locked: it has no onion address until somebody unlocks it here\n")?;
    }
    let doors = vec![Arc::clone(&door), Arc::clone(&far_door)];
    let mut tasks = vec![
        tokio::spawn(tasks::supervise(Arc::clone(&vault), stop.clone())),
        tokio::spawn(host(Arc::clone(&vault), stop.clone())),
        tokio::spawn(forget(Arc::clone(&vault), doors, stop.clone())),
    ];
    tasks.extend(afar(&vault, far_door, port, remote.onion, &stop));
    tasks.push(tokio::spawn(web::unlock_door::Keeper::new(Arc::clone(&vault)).keep(stop.clone())));
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
    for task in tasks {
        if task.await.is_err() {
            tracing::error!("A task of the server did not end well");
        }
    }
    vault.lock().await;
    ended?;
    Ok(0)
}

fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|_| Failure::failed("The system does not say which port it gave"))
}

/// The name that something before us answers by TLS.
fn proxied(remote: &Remote) -> Result<Option<AfarName>, Failure> {
    let sound = |name: &&String| {
        let (host, port) = name.split_once(':').unwrap_or((name, "443"));
        let letters = host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        // Not `localhost`: its cookies, and its rule to come by TLS only, would hold for the door at home, too.
        letters && host.contains('.') && host.len() <= 253 && port.parse::<u16>().is_ok()
    };
    for name in [&remote.remote_host, &remote.remote_content].into_iter().flatten() {
        if !sound(&name) {
            return Err(Failure::usage(format!("{name:?} is no name; write it like mail.example.org")));
        }
    }
    let content = remote.remote_content.as_deref();
    if let (Some(host), Some(content)) = (remote.remote_host.as_deref(), content) {
        let is_within = |name: &str, other: &str| {
            let (name, other) = (name.to_ascii_lowercase(), other.to_ascii_lowercase());
            name.strip_suffix(&other).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if is_within(host, content) || is_within(content, host) {
            return Err(Failure::usage(format!(
                "{content:?} and {host:?} lie within each other; give content a name beside that of the pages, such as frames.example.org"
            )));
        }
    }
    Ok(remote.remote_host.as_deref().map(|host| AfarName::proxied(host, content)))
}

/// The remote door, and all that leads there.
fn afar(
    vault: &Arc<Vault>,
    door: Arc<web::Web>,
    port: Option<TcpListener>,
    onion: bool,
    stop: &CancellationToken,
) -> Vec<tokio::task::JoinHandle<()>> {
    let (by_onion, by_port, arrivals) = web::arrivals();
    let mut tasks = Vec::new();
    if let Some(port) = port {
        let stop = stop.clone();
        tasks.push(tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = by_port.listen(&port) => {}
            }
        }));
    }
    let said = move |address: &str| {
        // What switches it on for good is no reason to write its address into the system's log.
        if !onion || say(&format!("Mailkeep is reachable at {address}\n")).is_err() {
            tracing::info!("The onion service is announced");
        }
    };
    let keeper = web::onion::Keeper {
        vault: Arc::clone(vault),
        door: Arc::clone(&door),
        gate: by_onion,
        always: onion,
        say: said,
    };
    tasks.push(tokio::spawn(keeper.keep(stop.clone())));
    let stop = stop.clone();
    tasks.push(tokio::spawn(async move {
        let serving = web::serve_remote(door, arrivals, stop.clone());
        tokio::select! {
            () = serving => {}
            () = async { stop.cancelled().await; tokio::time::sleep(std::time::Duration::from_secs(1)).await } => {}
        }
    }));
    tasks
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
async fn forget(vault: Arc<Vault>, doors: Vec<Arc<web::Web>>, stop: CancellationToken) {
    let mut open = vault.watch();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = open.changed() => if changed.is_err() { return },
        }
        if open.borrow_and_update().is_none() {
            doors.iter().for_each(|door| door.forget());
        }
    }
}

fn browse(url: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    if std::process::Command::new(opener).arg(url).spawn().is_err() {
        tracing::info!("There is no browser to open; open the address yourself");
    }
}
