//! What the Tor inside Mailkeep costs beside Debian's `tor` on one network in one run, and what a page costs through the onion
//! beside the same page direct: `cargo bench --bench tor`. The network is that of `tests/lab/tor`, on this machine alone, so
//! the times are those of the programs and not of the world's distances. It wants `tor` and `curl` from Debian.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const ROUNDS: usize = 3;
const PAGES: usize = 40;
/// How long each program rests before its memory and its idle processor time are read.
const REST: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(240);
/// The kernel counts processor time in these.
const TICKS_PER_SECOND: f64 = 100.0;

fn main() {
    if let Err(error) = measure() {
        println!("{error}");
        std::process::exit(1);
    }
}

fn measure() -> Result<(), String> {
    let folder = tempfile::Builder::new().prefix("mktb.").tempdir_in("/tmp").map_err(text)?;
    let net = Net::up()?;
    let witness = Witness::begin()?;
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for round in 0..ROUNDS {
        theirs.push(debian(&net, &witness, &folder.path().join(format!("tor{round}")))?);
        ours.push(inside(&net, &witness, &folder.path().join(format!("mailkeep{round}")))?);
    }
    println!("Median of {ROUNDS} starts with an empty folder each, on a network of seven relays");
    println!("{:<34}{:>12}{:>12}{:>8}", "", "mailkeep", "tor", "ratio");
    let line = |what: &str, figure: fn(&Cost) -> f64| {
        let (a, b) = (median(ours.iter().map(figure)), median(theirs.iter().map(figure)));
        println!("{what:<34}{a:>12.2}{b:>12.2}{:>8.2}", a / b);
    };
    line("start to a stream through an exit, s", |cost| cost.ready);
    line("processor time until then, s", |cost| cost.processor);
    line("memory for Tor, resting, MB", |cost| cost.memory);
    line("processor time resting, ms/s", |cost| cost.resting);
    pages(&net, folder.path())
}

/// What a start of Tor cost.
struct Cost {
    ready: f64,
    processor: f64,
    memory: f64,
    resting: f64,
}

/// Debian's `tor` as a client, and `curl` that wants through it.
fn debian(net: &Net, witness: &Witness, folder: &Path) -> Result<Cost, String> {
    witness.forget();
    let begun = Instant::now();
    let (tor, port) = client(net, folder)?;
    let ready = through(begun, witness, || {
        let proxy = format!("127.0.0.1:{port}");
        let _ = run("curl", &["-s", "-m", "5", "--socks5", &proxy, &format!("http://{}/", witness.address)]);
    })?;
    cost(&tor, (0.0, 0.0), ready)
}

/// Mailkeep's server, of which an account is asked for whose servers are reached by Tor.
fn inside(net: &Net, witness: &Witness, folder: &Path) -> Result<Cost, String> {
    let store = Store::make(folder, net)?;
    let (server, _) = store.serve(&[])?;
    // What it needs without Tor is taken off.
    std::thread::sleep(Duration::from_secs(5));
    let before = (memory(server.id())?, processor(server.id())?);
    witness.forget();
    let begun = Instant::now();
    let ready = through(begun, witness, || {
        let at = witness.address.as_str();
        let _ = store.run(&[
            "account",
            "add",
            "alice@lab.test",
            "--imap",
            at,
            "--imap-security",
            "none",
            "--smtp",
            at,
            "--smtp-security",
            "none",
            "--password-file",
            &store.passphrase,
            "--route",
            "tor",
        ]);
    })?;
    cost(&server, before, ready)
}

/// Seconds until somebody comes to the witness by way of `ask`, which is tried again and again.
fn through(begun: Instant, witness: &Witness, mut ask: impl FnMut()) -> Result<f64, String> {
    while begun.elapsed() < PATIENCE {
        ask();
        if let Ok(came) = witness.came.try_recv() {
            return Ok((came - begun).as_secs_f64());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err("nothing came through Tor within four minutes".to_owned())
}

fn cost(process: &Process, before: (f64, f64), ready: f64) -> Result<Cost, String> {
    let spent = processor(process.id())?;
    std::thread::sleep(REST);
    let rested = processor(process.id())?;
    Ok(Cost {
        ready,
        processor: spent - before.1,
        memory: memory(process.id())? - before.0,
        resting: (rested - spent) * 1000.0 / REST.as_secs_f64(),
    })
}

/// How long the first page takes direct and through the onion, by `curl` and Debian's `tor` at the other end.
fn pages(net: &Net, folder: &Path) -> Result<(), String> {
    let (_tor, port) = client(net, &folder.join("far"))?;
    let store = Store::make(&folder.join("home"), net)?;
    let begun = Instant::now();
    let (_server, said) = store.serve(&["--onion"])?;
    let said: Vec<String> = said.take(2).collect::<Result<_, _>>().map_err(text)?;
    let address = |start: &str| {
        let line = said.iter().find_map(|line| line.strip_prefix(start));
        line.map(|rest| format!("{}/unlock", rest.trim_end_matches('/')))
            .ok_or(format!("no {start:?} in {said:?}"))
    };
    let (direct, onion) = (address("Mailkeep is ready at ")?, address("Mailkeep is reachable at ")?);
    let proxy = format!("127.0.0.1:{port}");
    let by_tor = ["--socks5-hostname", proxy.as_str()];
    while fetch(&onion, &by_tor, 1).is_err() {
        if begun.elapsed() > PATIENCE {
            return Err("the onion was not reached within four minutes".to_owned());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("\nFrom the start of `serve --onion` to its first page: {:.1} s", begun.elapsed().as_secs_f64());
    println!("The page /unlock, median of {PAGES}, ms");
    println!("{:<34}{:>12}{:>12}{:>8}", "", "onion", "direct", "ratio");
    let kept = (fetch(&onion, &by_tor, PAGES + 1)?, fetch(&direct, &[], PAGES + 1)?);
    let line = |what: &str, (far, near): (Vec<f64>, Vec<f64>)| {
        let (far, near) = (median(far.into_iter()), median(near.into_iter()));
        println!("{what:<34}{:>12.1}{:>12.1}{:>8.1}", far * 1000.0, near * 1000.0, far / near);
    };
    line("on one connection", (kept.0.into_iter().skip(1).collect(), kept.1.into_iter().skip(1).collect()));
    let each = |url: &str, more: &[&str]| -> Result<Vec<f64>, String> {
        (0..PAGES).map(|_| Ok(fetch(url, more, 1)?.into_iter().sum())).collect()
    };
    line("each on a connection of its own", (each(&onion, &by_tor)?, each(&direct, &[])?));
    Ok(())
}

/// Seconds that each of `times` requests took, on one connection.
fn fetch(url: &str, more: &[&str], times: usize) -> Result<Vec<f64>, String> {
    let mut args = vec!["-s", "-f", "-m", "60", "-w", "%{time_total}\\n"];
    args.extend_from_slice(more);
    for _ in 0..times {
        args.extend_from_slice(&["-o", "/dev/null", url]);
    }
    let times = run("curl", &args)?;
    times.lines().map(|line| line.trim().parse().map_err(text)).collect()
}

/// Debian's `tor`, of which one may ask for names from a port of this machine.
fn client(net: &Net, folder: &Path) -> Result<(Process, u16), String> {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).map_err(text)?.port();
    fs::create_dir_all(folder).map_err(text)?;
    let authorities = fs::read_to_string(net.folder.join("exit1/torrc")).map_err(text)?;
    let mut torrc = format!(
        "TestingTorNetwork 1\nDataDirectory {}\nSocksPort 127.0.0.1:{port}\nLog notice file {}\n",
        folder.join("data").display(),
        folder.join("log").display(),
    );
    for line in authorities.lines().filter(|line| line.starts_with("DirAuthority ")) {
        torrc.push_str(line);
        torrc.push('\n');
    }
    let at = folder.join("torrc");
    fs::write(&at, torrc).map_err(text)?;
    let mut command = Command::new("tor");
    command.arg("-f").arg(at).env("PATH", PATH).stdout(Stdio::null()).stderr(Stdio::null());
    Ok((Process(command.spawn().map_err(text)?), port))
}

/// Debian keeps `tor` where only root looks.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// A program that ends with its owner.
struct Process(Child);

impl Process {
    fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

/// A store of its own, whose Tor knows this network only.
struct Store {
    data: PathBuf,
    passphrase: String,
}

impl Store {
    fn make(folder: &Path, net: &Net) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(text)?;
        let passphrase = folder.join("passphrase");
        fs::write(&passphrase, "seven quiet herons over Lagos harbour\n").map_err(text)?;
        let store = Self { data: folder.join("data"), passphrase: passphrase.display().to_string() };
        store.run(&["init"])?;
        store.run(&["config", "set", "tor.config", &net.folder.join("arti.toml").display().to_string()])?;
        Ok(store)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailkeep"));
        command.arg("--data").arg(&self.data).args(["--passphrase-file", &self.passphrase]).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Result<String, String> {
        finish(&mut self.command(args))
    }

    /// The server, and what it says from now on.
    fn serve(
        &self,
        more: &[&str],
    ) -> Result<(Process, impl Iterator<Item = std::io::Result<String>> + use<>), String> {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child =
            command.args(more).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(text)?;
        let said = child.stdout.take().ok_or("a server without words")?;
        Ok((Process(child), BufReader::new(said).lines()))
    }
}

/// The network, gone with its owner.
struct Net {
    folder: PathBuf,
}

impl Net {
    fn up() -> Result<Self, String> {
        let said = run(SCRIPT, &["up"])?;
        let mut parts = said.split('\'').skip_while(|part| !part.ends_with("TOR_DIR=")).skip(1);
        Ok(Self { folder: parts.next().ok_or("no Tor network")?.into() })
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = Command::new(SCRIPT).arg("down").env("TOR_DIR", &self.folder).status();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/tor");

/// A server that says when somebody came.
struct Witness {
    address: String,
    came: Receiver<Instant>,
}

impl Witness {
    fn begin() -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.1.1:0").map_err(text)?;
        let address = listener.local_addr().map_err(text)?.to_string();
        let (say, came) = channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let _ = say.send(Instant::now());
                let _ = stream.write_all(b"* BYE not today\r\n");
            }
        });
        Ok(Self { address, came })
    }

    fn forget(&self) {
        while self.came.try_recv().is_ok() {}
    }
}

/// Resident memory in megabytes.
fn memory(process: u32) -> Result<f64, String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).map_err(text)?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("a process without memory")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().map_err(text)?;
    Ok(kilobytes / 1000.0)
}

/// Seconds of processor time, its own and the kernel's for it.
fn processor(process: u32) -> Result<f64, String> {
    let line = fs::read_to_string(format!("/proc/{process}/stat")).map_err(text)?;
    // The name stands in parentheses and may hold blanks; what follows it does not.
    let (_, rest) = line.rsplit_once(')').ok_or("a process without figures")?;
    let ticks: f64 =
        rest.split_whitespace().skip(11).take(2).filter_map(|figure| figure.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_SECOND)
}

fn run(program: &str, args: &[&str]) -> Result<String, String> {
    finish(Command::new(program).args(args))
}

fn finish(command: &mut Command) -> Result<String, String> {
    let done = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if !done.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
