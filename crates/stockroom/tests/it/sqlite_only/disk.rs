//! A disk of a test's own: a file system in a file, which can be full and can lose its power.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

/// How often a disk that is still in use is asked for again.
const ATTEMPTS: u32 = 100;

/// A mounted file system. Dropping it removes it.
pub(crate) struct Disk {
    directory: TempDir,
}

impl Disk {
    /// A fresh file system of this kind (ext4 or xfs) and size; `None` with a message where that cannot be had.
    pub(crate) fn new(kind: &str, mebibytes: u64) -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let image = directory.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(mebibytes << 20).unwrap();
        std::fs::create_dir(directory.path().join("mount")).unwrap();
        let disk = Self { directory };
        let made = run(&format!("mkfs.{kind}"), &["-q".as_ref(), &image]);
        if made && disk.mount() && run("xfs_io", &["-V".as_ref()]) {
            return Some(disk);
        }
        // CI may run in a container; the longer runs are made where this works.
        println!(
            "left out: a disk of {kind} needs root, loop devices and the Debian packages e2fsprogs and xfsprogs"
        );
        None
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("mount")
    }

    fn mount(&self) -> bool {
        run("mount", &["-o".as_ref(), "loop".as_ref(), &self.directory.path().join("image"), &self.path()])
    }

    /// Has everything written that was not yet.
    pub(crate) fn sync(&self) {
        assert!(run("sync", &["-f".as_ref(), &self.path()]));
    }

    /// Nothing reaches the disk any more, as if its power had failed; whoever writes is told so.
    pub(crate) fn cut_power(&self) {
        // The ioctl FS_IOC_SHUTDOWN, without a flush of the log.
        assert!(run("xfs_io", &["-x".as_ref(), "-c".as_ref(), "shutdown".as_ref(), &self.path()]));
    }

    /// Brings it back with what had reached it. Nobody may use it meanwhile.
    pub(crate) fn bring_back(&self) {
        self.unmount();
        assert!(self.mount());
    }

    fn unmount(&self) {
        for _ in 0..ATTEMPTS {
            if run("umount", &[&self.path()]) {
                return;
            }
            // Whoever was killed a moment ago may still have it open.
            sleep(Duration::from_millis(20));
        }
        panic!("{} stays in use", self.path().display());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a test that failed may still use it.
        run("umount", &["-l".as_ref(), &self.path()]);
    }
}

fn run(program: &str, arguments: &[&Path]) -> bool {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    let run = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}
