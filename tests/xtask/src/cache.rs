//! The build cache in the user's folder: entries named by the hash of what they were made from.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, process};

use anyhow::{Context, Result};

/// Entries of one family that are kept, newest use first.
const KEPT_PER_FAMILY: usize = 3;

pub struct Cache {
    pub root: PathBuf,
}

/// One kind of entry (`venv`, `target`, `wheel`), each entry a folder named by its key.
pub struct Family {
    folder: PathBuf,
}

/// Held while an entry is made; the kernel lets go of it when the process ends, however it ends.
pub struct Lock {
    _file: File,
}

impl Cache {
    pub fn open() -> Result<Cache> {
        let root = match (env::var_os("PULLBACK_BUILD_CACHE"), env::var_os("HOME")) {
            (Some(given), _) => PathBuf::from(given),
            (None, Some(home)) => Path::new(&home).join(".cache/pullback-build"),
            (None, None) => anyhow::bail!("set PULLBACK_BUILD_CACHE: there is no HOME to keep a cache in"),
        };
        fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
        let root = root.canonicalize()?;
        Ok(Cache { root })
    }

    pub fn family(&self, name: &str) -> Result<Family> {
        let folder = self.root.join(name);
        fs::create_dir_all(&folder)?;
        Ok(Family { folder })
    }

    /// One lock for everything that makes entries: two first runs would only download the same twice.
    pub fn lock(&self) -> Result<Lock> {
        Lock::of(&self.root)
    }
}

impl Lock {
    fn of(folder: &Path) -> Result<Lock> {
        let file = File::create(folder.join("lock"))?;
        if file.try_lock().is_err() {
            println!("waiting for another run that is filling {}", folder.display());
            file.lock()?;
        }
        Ok(Lock { _file: file })
    }
}

impl Family {
    /// One lock for the entries of a family that takes minutes to make: what needs none of it goes on meanwhile.
    pub fn lock(&self) -> Result<Lock> {
        Lock::of(&self.folder)
    }

    pub fn entry(&self, key: &str) -> PathBuf {
        self.folder.join(key)
    }

    /// The entry's folder, created if need be and marked as used now; entries long unused are removed.
    pub fn touch(&self, key: &str) -> Result<PathBuf> {
        let entry = self.entry(key);
        fs::create_dir_all(&entry)?;
        write_whole(&entry.join(".used"), b"")?;
        self.prune()?;
        Ok(entry)
    }

    fn prune(&self) -> Result<()> {
        let mut entries: Vec<(SystemTime, PathBuf)> = fs::read_dir(&self.folder)?
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                Some((path.join(".used").metadata().ok()?.modified().ok()?, path))
            })
            .collect();
        entries.sort();
        entries.reverse();
        for (_, path) in entries.into_iter().skip(KEPT_PER_FAMILY) {
            // Another run may be removing it too; what stays is removed the next time.
            let _ = fs::remove_dir_all(&path);
        }
        Ok(())
    }
}

/// The key of some content: FNV-1a in 128 bits, lengths included so that parts cannot run together.
pub fn key(parts: &[&[u8]]) -> String {
    const OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut hash = OFFSET_BASIS;
    for part in parts {
        for &byte in (part.len() as u64).to_le_bytes().iter().chain(*part) {
            hash = (hash ^ u128::from(byte)).wrapping_mul(PRIME);
        }
    }
    format!("{hash:032x}")[..20].to_owned()
}

/// The key of files: their paths from `root` and their content.
pub fn key_of_files(root: &Path, files: &[PathBuf], more: &[&[u8]]) -> Result<String> {
    let mut parts: Vec<Vec<u8>> = more.iter().map(|part| part.to_vec()).collect();
    for file in files {
        parts.push(file.strip_prefix(root).unwrap_or(file).as_os_str().as_encoded_bytes().to_vec());
        parts.push(fs::read(file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    Ok(key(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

/// Whether a stamp file says just this.
pub fn holds(stamp: &Path, content: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|found| found == content)
}

/// Writes a file so that no reader ever sees half of it.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", process::id()));
    let temporary = path.with_file_name(name);
    fs::write(&temporary, content).with_context(|| format!("cannot write {}", path.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn keys_tell_where_one_part_ends_and_the_next_begins() {
        assert_ne!(key(&[b"ab", b"c"]), key(&[b"a", b"bc"]));
        assert_eq!(key(&[b"ab", b"c"]), key(&[b"ab", b"c"]));
    }

    #[test]
    fn only_the_entries_used_last_are_kept() {
        let folder = env::temp_dir().join(format!("pullback-cache-test-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let family = Family { folder: folder.clone() };
        for day in 1..=4 {
            let entry = family.touch(&format!("entry-{day}")).unwrap();
            let used = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400 * day);
            File::options().append(true).open(entry.join(".used")).unwrap().set_modified(used).unwrap();
        }
        family.touch("entry-2").unwrap();
        let kept: Vec<bool> = (1..=4).map(|day| family.entry(&format!("entry-{day}")).exists()).collect();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(kept, [false, true, true, true]);
    }
}
