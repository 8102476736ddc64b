//! The walls around the process that opens hostile files, one by one: what it may not do is tried in the very process, by the
//! very program, and is denied.

use crate::support::world::MAILKEEP;
use crate::support::{wait_for, without_call};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

const WORD: &str = mailkeep::worker::WORD;

fn worker(seconds: u64, memory: u64) -> Command {
    let mut command = Command::new(MAILKEEP);
    command.args([WORD, &seconds.to_string(), &memory.to_string()]).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_le_bytes()[..], bytes].concat()
}

fn ask(child: &mut Child, job: &Value, inputs: &[&[u8]]) {
    let mut wire = frame(job.to_string().as_bytes());
    wire.extend(frame(&u32::try_from(inputs.len()).unwrap().to_le_bytes()));
    inputs.iter().for_each(|input| wire.extend(frame(input)));
    // Who has been ended does not read on.
    drop(child.stdin.take().unwrap().write_all(&wire));
}

/// What a worker answers to a job, and how it ended.
fn answer(mut command: Command, job: &Value) -> (Vec<u8>, ExitStatus) {
    let mut child = command.spawn().unwrap();
    ask(&mut child, job, &[]);
    let mut out = Vec::new();
    child.stdout.take().unwrap().take(1 << 20).read_to_end(&mut out).unwrap();
    (out, child.wait().unwrap())
}

fn probe(what: &str) -> (Vec<u8>, ExitStatus) {
    answer(worker(20, 1 << 30), &json!({"probe": what}))
}

fn says(out: &[u8], word: &str) -> bool {
    String::from_utf8_lossy(out).contains(word)
}

#[test]
fn a_worker_that_does_nothing_forbidden_answers() {
    let (out, status) = probe("nothing");
    assert!(status.success() && out.starts_with(b"E") && says(&out, "through"), "{status}: {out:?}");
}

#[test]
fn files_connections_and_programs_are_out_of_reach() {
    let there = std::path::Path::new("/tmp/mailkeep-worker-was-here");
    drop(std::fs::remove_file(there));
    for what in ["open", "write", "connect", "execute", "read-elsewhere"] {
        let (out, status) = probe(what);
        assert!(!says(&out, "through"), "{what} got through");
        assert_eq!(status.signal(), Some(libc::SIGSYS), "{what}: {status}");
    }
    assert!(!there.exists());
}

#[test]
fn memory_time_depth_and_breaking_are_bounded() {
    let (out, status) = probe("allocate");
    assert!(!says(&out, "through"));
    assert_eq!(status.signal(), Some(libc::SIGABRT), "{status}");
    let (out, status) = answer(worker(1, 1 << 30), &json!({"probe": "spin"}));
    assert!(out.is_empty());
    assert_eq!(status.signal(), Some(libc::SIGXCPU), "{status}");
    let (_, status) = probe("recurse");
    assert!(matches!(status.signal(), Some(libc::SIGSEGV | libc::SIGABRT)), "{status}");
    // What breaks the reader ends the job, not the answer.
    let (out, status) = probe("panic");
    assert!(status.success() && out.starts_with(b"E") && says(&out, "cannot read"), "{status}");
}

#[test]
fn the_kernel_confirms_the_walls_of_a_living_worker() {
    let mut child = worker(20, 1 << 30).spawn().unwrap();
    ask(&mut child, &json!({"probe": "spin"}), &[]);
    let read =
        |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap_or_default();
    let status = wait_for("seccomp to be on", || Some(read("status")).filter(|s| s.contains("Seccomp:\t2")));
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    assert!(status.contains("Threads:\t1"), "{status}");
    let limits = read("limits");
    let limit = |name: &str| -> Vec<String> {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().take(2).map(str::to_owned).collect()
    };
    assert_eq!(limit("Max cpu time"), ["20", "21"]);
    assert_eq!(limit("Max address space"), ["1073741824", "1073741824"]);
    for zero in ["Max file size", "Max core file size", "Max processes", "Max open files"] {
        assert_eq!(limit(zero), ["0", "0"], "{zero}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_worker_writes_no_file_even_where_it_is_given_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let mut command = worker(20, 1 << 30);
    command.stdout(std::fs::File::create(&path).unwrap());
    let mut child = command.spawn().unwrap();
    ask(&mut child, &json!({"probe": "nothing"}), &[]);
    let status = child.wait().unwrap();
    assert!(!status.success(), "{status}");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
}

#[test]
fn without_seccomp_there_is_no_work() {
    let (out, status) = without_call(libc::SYS_seccomp, || probe("nothing"));
    assert_eq!(out, b"W", "it says that it has no walls, and nothing else");
    assert_eq!(status.code(), Some(1), "{status}");
}

#[test]
fn without_landlock_seccomp_still_denies() {
    let (out, status) = without_call(libc::SYS_landlock_create_ruleset, || {
        assert!(says(&probe("nothing").0, "through"), "it works");
        probe("open")
    });
    assert!(!says(&out, "through"));
    assert_eq!(status.signal(), Some(libc::SIGSYS), "{status}");
}

#[test]
fn lies_on_the_wire_end_a_worker() {
    for wire in [&b""[..], b"\xff\xff\xff\xff", b"\x02\0\0\0{}", b"\x05\0\0\0hello", b"\x04\0\0"] {
        let mut child = worker(20, 1 << 30).spawn().unwrap();
        child.stdin.take().unwrap().write_all(wire).unwrap();
        let mut out = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
        assert_eq!((child.wait().unwrap().code(), out), (Some(1), Vec::new()), "{wire:?}");
    }
}
