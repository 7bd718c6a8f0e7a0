//! Collects what fails over many cases, panics included, so that one run shows all of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

#[derive(Default)]
pub struct Failures {
    list: Vec<String>,
    checked: usize,
}

impl Failures {
    /// Runs one check; gives what it gave.
    pub fn check<T>(&mut self, name: &str, run: impl FnOnce() -> Result<T, String>) -> Option<T> {
        self.checked += 1;
        let why = match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(why)) => why,
            Err(panic) => match panic.downcast_ref::<String>() {
                Some(text) => format!("panic: {text}"),
                None => format!("panic: {}", panic.downcast_ref::<&str>().unwrap_or(&"of unknown kind")),
            },
        };
        self.list.push(format!("{name}: {why}"));
        None
    }

    pub fn extend(&mut self, more: impl IntoIterator<Item = String>) {
        self.list.extend(more);
    }

    /// The first of them.
    pub fn first(&self) -> Option<&str> {
        self.list.first().map(String::as_str)
    }

    /// Fails the test, showing everything, when anything failed or nothing was checked.
    pub fn finish(self) {
        assert!(self.checked > 0, "nothing was checked");
        let shown: Vec<&str> = self.list.iter().map(|text| text.trim_end()).collect();
        assert!(shown.is_empty(), "{} of {} failed:\n{}", shown.len(), self.checked, shown.join("\n"));
    }
}
