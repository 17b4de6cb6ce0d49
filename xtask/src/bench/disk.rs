//! What the disk itself can do, since it decides how fast single commits are.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Failure;

/// How often in a second 4 KiB can be appended to a file in this directory and made durable.
pub(super) fn syncs_per_second(directory: &Path) -> Result<f64, Failure> {
    let path = directory.join("syncs");
    let measured = count(&path, Duration::from_secs(1));
    // A file that stays behind lies in a directory that is removed as a whole.
    let _ = std::fs::remove_file(&path);
    measured.map_err(|error| format!("cannot measure the disk at {}: {error}", path.display()))
}

fn count(path: &Path, length: Duration) -> std::io::Result<f64> {
    let mut file = File::create(path)?;
    let block = [0x5A_u8; 4096];
    let (began, mut syncs) = (Instant::now(), 0_u32);
    while began.elapsed() < length {
        file.write_all(&block)?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(f64::from(syncs) / began.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_exists_takes_syncs() {
        let directory = crate::root().join("target/bench-tests/disk");
        std::fs::create_dir_all(&directory).expect("a directory");
        assert!(count(&directory.join("syncs"), Duration::from_millis(20)).expect("a disk") > 0.0);
        assert!(syncs_per_second(Path::new("/no/such/directory")).is_err());
    }
}
