//! The walls a worker raises around itself before it reads a byte: no core dump, bounded memory and time, no file, no
//! connection (landlock), and none but a few system calls (seccomp), of which reading is allowed from stdin alone and
//! writing to stdout alone. A call that is not on the list ends the process.
//!
//! Without seccomp there is no work. Without landlock there is, since seccomp denies by itself what landlock would.

use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;

/// How much a worker may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Seconds of processor time.
    pub(super) seconds: u64,
    /// Bytes of address space.
    pub(super) memory: u64,
}

/// Raises all walls.
///
/// # Errors
/// Which wall could not be raised.
pub(super) fn raise(limits: Limits) -> Result<(), &'static str> {
    limit(limits).map_err(|_| "limits")?;
    // An old kernel, or one without it: what it would deny, seccomp denies too.
    let _enforced = close_files_and_network().unwrap_or(false);
    rustix::process::setrlimit(Resource::Nofile, fixed(0)).map_err(|_| "limits")?;
    let program = program(SeccompAction::KillProcess).ok_or("seccomp")?;
    seccompiler::apply_filter_all_threads(&program).map_err(|_| "seccomp")
}

fn fixed(most: u64) -> Rlimit {
    Rlimit { current: Some(most), maximum: Some(most) }
}

fn limit(limits: Limits) -> rustix::io::Result<()> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::process::setrlimit(Resource::Core, fixed(0))?;
    rustix::process::setrlimit(Resource::Fsize, fixed(0))?;
    rustix::process::setrlimit(Resource::Nproc, fixed(0))?;
    rustix::process::setrlimit(Resource::As, fixed(limits.memory))?;
    let cpu = Rlimit { current: Some(limits.seconds), maximum: Some(limits.seconds + 1) };
    rustix::process::setrlimit(Resource::Cpu, cpu)
}

/// Denies every file and every connection to this thread and what it starts; gives whether the kernel does so.
fn close_files_and_network() -> Result<bool, landlock::RulesetError> {
    use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus, Scope};
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V6))?
        .handle_access(AccessNet::from_all(ABI::V6))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

/// The system calls that are allowed, and with which arguments.
fn rules() -> Option<BTreeMap<i64, Vec<SeccompRule>>> {
    let is = |at: u8, value: u64| {
        let condition = SeccompCondition::new(at, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value).ok()?;
        SeccompRule::new(vec![condition]).ok()
    };
    let never_executable = || {
        let executable = u64::try_from(libc::PROT_EXEC).ok()?;
        let mask = SeccompCmpOp::MaskedEq(executable);
        SeccompRule::new(vec![SeccompCondition::new(2, SeccompCmpArgLen::Dword, mask, 0).ok()?]).ok()
    };
    let own = u64::try_from(rustix::process::getpid().as_raw_pid()).ok()?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = [
        libc::SYS_brk,
        libc::SYS_clock_gettime,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_futex,
        libc::SYS_getpid,
        libc::SYS_getrandom,
        libc::SYS_gettid,
        libc::SYS_madvise,
        libc::SYS_mremap,
        libc::SYS_munmap,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sched_yield,
        libc::SYS_sigaltstack,
    ]
    .into_iter()
    .map(|call| (call, Vec::new()))
    .collect();
    rules.insert(libc::SYS_read, vec![is(0, 0)?]);
    rules.insert(libc::SYS_write, vec![is(0, 1)?, is(0, 2)?]);
    rules.insert(libc::SYS_mmap, vec![never_executable()?]);
    rules.insert(libc::SYS_mprotect, vec![never_executable()?]);
    // How a program ends itself when memory runs out.
    rules.insert(libc::SYS_tgkill, vec![is(0, own)?]);
    Some(rules)
}

/// The filter; `denied` is what happens at every other call.
fn program(denied: SeccompAction) -> Option<BpfProgram> {
    let arch = std::env::consts::ARCH.try_into().ok()?;
    SeccompFilter::new(rules()?, denied, SeccompAction::Allow, arch).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    /// On a thread of its own, since what a thread locks stays locked.
    fn apart<T: Send + 'static>(story: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(story).join().unwrap()
    }

    #[test]
    fn landlock_alone_denies_files_and_connections() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        apart(move || {
            assert!(std::fs::File::open("/etc/passwd").is_ok());
            assert!(std::net::TcpStream::connect(address).is_ok());
            assert!(close_files_and_network().unwrap(), "this kernel has landlock");
            let denied = |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            denied(std::fs::File::open("/etc/passwd").map(drop).unwrap_err());
            denied(std::fs::write("/tmp/mailkeep-wall", "x").unwrap_err());
            denied(std::fs::read_dir("/").map(drop).unwrap_err());
            denied(std::process::Command::new("/bin/true").spawn().map(drop).unwrap_err());
            denied(std::net::TcpStream::connect(address).map(drop).unwrap_err());
        });
    }

    #[test]
    fn seccomp_alone_denies_the_same_and_more() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut file = std::fs::File::open("/etc/passwd").unwrap();
        apart(move || {
            let refusal = SeccompAction::Errno(u32::try_from(libc::EPERM).unwrap());
            seccompiler::apply_filter(&program(refusal).unwrap()).unwrap();
            let denied = |error: std::io::Error| assert_eq!(error.raw_os_error(), Some(libc::EPERM));
            denied(std::fs::File::open("/etc/passwd").map(drop).unwrap_err());
            denied(std::fs::write("/tmp/mailkeep-wall", "x").unwrap_err());
            denied(std::net::TcpStream::connect(address).map(drop).unwrap_err());
            denied(std::net::UdpSocket::bind("127.0.0.1:0").map(drop).unwrap_err());
            denied(std::process::Command::new("/bin/true").spawn().map(drop).unwrap_err());
            // What was open before cannot be read either: only stdin can.
            denied(std::io::Read::read(&mut file, &mut [0; 8]).map(drop).unwrap_err());
            // It closes no file, so what it owns is left to the process.
            std::mem::forget(file);
            let room = vec![1_u8; 8 << 20];
            assert_eq!(room.iter().map(|b| usize::from(*b)).sum::<usize>(), 8 << 20, "memory it has");
        });
    }
}
