//! `mutations`: seeds each bug of `pullback_autodiff::mutation`, and requires that random programs find it.

use pullback_autodiff::mutation::{Bug, with};
use pullback_tests::fuzz::fails;
use std::process::ExitCode;

/// A bug that so many programs do not find is not found.
const PROGRAMS: u64 = 4000;

fn main() -> ExitCode {
    // What panics has been found.
    std::panic::set_hook(Box::new(|_| {}));
    let mut alive = 0;
    for &bug in Bug::ALL {
        let killer = with(bug, || (0..PROGRAMS).find_map(|seed| Some((seed, fails(seed)?))));
        match killer {
            Some((seed, kind)) => println!("killed {bug:?} by program {seed}: {kind}"),
            None => {
                alive += 1;
                println!("ALIVE  {bug:?} after {PROGRAMS} programs");
            }
        }
    }
    println!("mutations: {} seeded, {} killed", Bug::ALL.len(), Bug::ALL.len() - alive);
    if alive == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
