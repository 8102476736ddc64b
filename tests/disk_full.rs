//! Promise 7 of the store: a full disk or one that cannot be written to gives one clear message; the store stays
//! openable, and reading and searching go on.

use crate::support::mail::{lf, mbox, plain};
use crate::support::{World, as_root};
use std::path::{Path, PathBuf};

/// A small filesystem in memory, unmounted at the end.
struct Small(PathBuf);

impl Small {
    fn mount(at: PathBuf, megabytes: u32) -> Result<Self, String> {
        std::fs::create_dir_all(&at).unwrap();
        let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let options = format!("size={megabytes}m,mode=0700,uid={user},gid={group}");
        let output = as_root("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&at).output();
        match output {
            Ok(output) if output.status.success() => Ok(Self(at)),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(e) => Err(e.to_string()),
        }
    }

    fn remount(&self, options: &str) {
        let status = as_root("mount").args(["-o", options]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = as_root("umount").arg("-l").arg(&self.0).status();
    }
}

fn world_on(megabytes: u32) -> Option<(Small, World)> {
    let home = tempfile::Builder::new().prefix("mailkeep-test.").tempdir().unwrap();
    let mount = home.path().join("small");
    match Small::mount(mount.clone(), megabytes) {
        Ok(small) => {
            let world = World::at(home, mount.join("data"));
            world.ok(&["init"]);
            Some((small, world))
        }
        Err(why) => {
            assert!(
                std::env::var_os("MAILKEEP_NO_MOUNTS").is_some(),
                "no small filesystem could be mounted ({}); \
                 run as root, or set MAILKEEP_NO_MOUNTS to go without this test",
                why.trim()
            );
            eprintln!("not run: MAILKEEP_NO_MOUNTS is set, and nothing can be mounted: {why}");
            None
        }
    }
}

fn noise(n: usize) -> String {
    use sha2::Digest;
    let mut text = String::new();
    for i in 0..200 {
        text.push_str(&data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(format!("{n} {i}"))));
        text.push_str("\r\n");
    }
    text
}

fn letter(n: usize) -> Vec<u8> {
    lf(&plain("bob@lab.test", "alice@lab.test", &format!("letter {n}"), &noise(n)))
}

fn still_works(world: &World, expected: u64) {
    assert_eq!(world.count("subject:\"letter 0\""), 1);
    let id = world.only("subject:\"letter 0\"");
    assert!(world.raw(&id) == letter(0));
    assert!(world.count("*") >= expected);
}

#[test]
fn a_full_disk_gives_one_clear_message_and_loses_nothing() {
    let Some((small, world)) = world_on(24) else { return };
    world.ok(&["import", &world.file("first.eml", letter(0))]);
    let letters: Vec<Vec<u8>> = (1..4000).map(letter).collect();
    let path = world.file("too-much.mbox", mbox(&letters));
    let said = world.fails(1, &["import", &path]);
    let lower = said.to_lowercase();
    assert!(lower.contains("full") || lower.contains("space"), "{said}");
    still_works(&world, 1);
    world.fails(1, &["import", &path]);
    // What was acknowledged is counted and whole; with room again, work goes on.
    let kept = world.count("*");
    small.remount("remount,size=200m");
    assert_eq!(world.ok(&["check"])["lost"], 0);
    world.ok(&["import", &path]);
    assert_eq!(world.count("*"), 4000, "after {kept} that fitted");
    assert_eq!(world.ok(&["check"])["damaged"], 0);
}

#[test]
fn a_running_server_on_a_full_disk_goes_on_reading() {
    let Some((small, world)) = world_on(24) else { return };
    world.ok(&["import", &world.file("first.eml", letter(0))]);
    let mut server = world.serve();
    fill(&small.0);
    let path = world.file("more.mbox", mbox(&(1..300).map(letter).collect::<Vec<_>>()));
    let said = world.fails(1, &["import", &path]);
    assert!(said.to_lowercase().contains("full") || said.to_lowercase().contains("space"), "{said}");
    assert!(server.is_running());
    still_works(&world, 1);
    let cookie = server.sign_in();
    assert_eq!(server.request("GET", "/search?q=letter").cookie(&cookie).send().status, 200);
    std::fs::remove_file(small.0.join("filler")).unwrap();
    world.ok(&["import", &path]);
    assert_eq!(world.count("*"), 300);
}

fn fill(folder: &Path) {
    use std::io::Write;
    let mut filler = std::fs::File::create(folder.join("filler")).unwrap();
    let block = vec![7; 64 << 10];
    while filler.write_all(&block).is_ok() {}
    while filler.write_all(&[7]).is_ok() {}
}

#[test]
fn a_disk_that_cannot_be_written_to_is_still_read() {
    let Some((small, world)) = world_on(64) else { return };
    world.ok(&["import", &world.file("first.eml", letter(0))]);
    small.remount("remount,ro");
    still_works(&world, 1);
    let said = world.fails(1, &["import", &world.file("second.eml", letter(1))]);
    assert!(said.to_lowercase().contains("read-only") || said.to_lowercase().contains("written"), "{said}");
    small.remount("remount,rw");
    world.ok(&["import", world.path("second.eml").to_str().unwrap()]);
    assert_eq!(world.count("*"), 2);
}
