//! Expected texts in files: compared, or rewritten when `UPDATE_GOLDEN=1`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1")
}

/// The expected texts under one folder. A file that no text is compared with is stale.
pub struct Shelf {
    folder: PathBuf,
    used: BTreeSet<PathBuf>,
    pub failures: Vec<String>,
}

impl Shelf {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, used: BTreeSet::new(), failures: Vec::new() }
    }

    /// Compares a text with `NAME.txt`.
    pub fn check(&mut self, name: &str, text: &str) {
        let file = self.folder.join(format!("{name}.txt"));
        let text = format!("{}\n", text.trim_end());
        if let Err(why) = compare(&file, &text) {
            self.failures.push(why);
        }
        self.used.insert(file);
    }

    /// Removes or reports what no text was compared with.
    pub fn finish(mut self) -> Vec<String> {
        let mut stale = Vec::new();
        push_stale(&self.folder, &self.used, &mut stale);
        for file in stale {
            if updating() {
                if let Err(error) = std::fs::remove_file(&file) {
                    self.failures.push(format!("{}: {error}", file.display()));
                }
            } else {
                self.failures
                    .push(format!("{} belongs to no case; UPDATE_GOLDEN=1 removes it", file.display()));
            }
        }
        self.failures
    }
}

fn push_stale(folder: &Path, used: &BTreeSet<PathBuf>, stale: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            push_stale(&path, used, stale);
        } else if !used.contains(&path) {
            stale.push(path);
        }
    }
}

/// Compares a text with a file's, or writes it.
pub fn compare(file: &Path, text: &str) -> Result<(), String> {
    let known = std::fs::read_to_string(file).ok();
    if known.as_deref() == Some(text) {
        return Ok(());
    }
    if updating() {
        let folder = file.parent().map_or(Ok(()), std::fs::create_dir_all);
        return folder
            .and_then(|()| std::fs::write(file, text))
            .map_err(|error| format!("{}: {error}", file.display()));
    }
    let Some(known) = known else {
        return Err(format!("{} is missing; UPDATE_GOLDEN=1 writes it", file.display()));
    };
    Err(format!(
        "{} differs:\n{}\nUPDATE_GOLDEN=1 rewrites it",
        file.display(),
        first_difference(&known, text)
    ))
}

fn first_difference(known: &str, text: &str) -> String {
    let (mut known, mut text) = (known.lines(), text.lines());
    let mut line = 0;
    loop {
        line += 1;
        match (known.next(), text.next()) {
            (None, None) => return "  (line ends)".into(),
            (a, b) if a == b => {}
            (a, b) => return format!("  line {line}\n  - {}\n  + {}", a.unwrap_or(""), b.unwrap_or("")),
        }
    }
}
