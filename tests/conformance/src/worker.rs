//! Tests run in child processes, so that one that never ends, or ends its process, is an outcome like any other.

use crate::outcome::{Outcome, Row};
use crate::run::{Executor, run};
use crate::suite::Test;
use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The child's part: a path per line in, an outcome per line out.
pub fn serve(executors: &[Executor]) -> Result<()> {
    let message = Arc::new(Mutex::new(String::new()));
    let heard = message.clone();
    std::panic::set_hook(Box::new(move |panic| {
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let outcome = catch_unwind(AssertUnwindSafe(|| run(Path::new(&line), executors)));
        let outcome = outcome.unwrap_or_else(|_| {
            let text = message.lock().unwrap_or_else(PoisonError::into_inner).replace('\n', " ");
            Outcome::Fail(format!("panic: {}", text.chars().take(MAX_PANIC_CHARS).collect::<String>()))
        });
        println!("{}", outcome.to_line());
    }
    Ok(())
}

const MAX_PANIC_CHARS: usize = 400;

/// How to start children.
#[derive(Clone, Debug)]
pub struct Workers {
    /// What `serve` needs on its command line.
    pub arguments: Vec<String>,
    pub processes: usize,
    pub time_limit: Duration,
}

impl Workers {
    /// Runs all tests; `on_row` hears each as it ends. Rows come back in the order of the tests.
    pub fn run(&self, tests: &[Test], on_row: impl Fn(&Row) + Sync) -> Result<Vec<Row>> {
        let queue: Mutex<VecDeque<usize>> = Mutex::new((0..tests.len()).collect());
        let rows: Mutex<Vec<(usize, Row)>> = Mutex::new(Vec::new());
        let work = || -> Result<()> {
            let mut worker = None;
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(index) = next else { return Ok(()) };
                let test = &tests[index];
                let outcome = self.outcome(&mut worker, test)?;
                let row = Row { name: test.name.clone(), buffers_only: test.buffers_only, outcome };
                on_row(&row);
                rows.lock().unwrap_or_else(PoisonError::into_inner).push((index, row));
            }
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.processes.max(1)).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        let mut rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
        rows.sort_by_key(|(index, _)| *index);
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    fn outcome(&self, worker: &mut Option<Worker>, test: &Test) -> Result<Outcome> {
        let mut running = match worker.take() {
            Some(running) => running,
            None => Worker::start(&self.arguments)?,
        };
        writeln!(running.input, "{}", test.path.display()).context("a child does not listen")?;
        let outcome = match running.lines.recv_timeout(self.time_limit) {
            Ok(line) => Outcome::from_line(&line)
                .unwrap_or_else(|| Outcome::Fail(format!("panic: the child says {line}"))),
            Err(RecvTimeoutError::Timeout) => {
                return Ok(Outcome::Fail(format!("over the time limit of {:?}", self.time_limit)));
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = running.child.wait()?;
                return Ok(Outcome::Fail(format!("its process ended: {status}")));
            }
        };
        *worker = Some(running);
        Ok(outcome)
    }
}

struct Worker {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Worker {
    fn start(arguments: &[String]) -> Result<Worker> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("cannot start a child")?;
        let input = child.stdin.take().context("a child without input")?;
        let output = child.stdout.take().context("a child without output")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Worker { child, input, lines })
    }
}

impl Drop for Worker {
    /// A child that still runs is over its time limit.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
