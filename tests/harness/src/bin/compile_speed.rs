//! How long text takes to IR: the first file of a process, which declares the library, a small file after it, and one of
//! 1,000 lines.

use pullback_lang::{Compiled, Language, Options, compile};
use pullback_tests::corpus::tests_folder;
use std::process::ExitCode;
use std::time::Instant;

/// Wishes, in milliseconds.
const SMALL_MS: f64 = 1.0;
const LONG_MS: f64 = 10.0;
const LONG_LINES: usize = 1000;
const ROUNDS: usize = 31;

fn main() -> ExitCode {
    match table() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn table() -> Result<(), String> {
    let read = |name: &str| {
        let file = tests_folder().join(name);
        std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))
    };
    let small = read("golden/in/graphics/ray_sphere.slang")?;
    let part = read("bench/compile/shapes.slang")?;
    let copies = LONG_LINES.div_ceil(part.lines().count());
    let long: String = (0..copies).map(|copy| format!("namespace part{copy} {{\n{part}}}\n")).collect();

    let first = milliseconds(&small)?;
    println!("text to IR, in milliseconds; medians of {ROUNDS} after the first");
    println!("  first file of a process ({} lines): {first:.2}", small.lines().count());
    for (what, text, wish) in [("small file", &small, SMALL_MS), ("long file", &long, LONG_MS)] {
        let mut times = (0..ROUNDS).map(|_| milliseconds(text)).collect::<Result<Vec<f64>, String>>()?;
        times.sort_by(f64::total_cmp);
        let median = times[ROUNDS / 2];
        let verdict = if median <= wish { "met" } else { "missed" };
        let lines = text.lines().count();
        println!(
            "  {what} ({lines} lines): {median:.2} ({:.2} of the wish of {wish}, {verdict})",
            median / wish
        );
    }
    Ok(())
}

/// The time of one compilation without a diagnostic.
fn milliseconds(text: &str) -> Result<f64, String> {
    let start = Instant::now();
    let Compiled { module, sources, diagnostics } =
        compile(Language::Slang, "speed.slang", text, &Options::default());
    let elapsed = start.elapsed().as_secs_f64() * 1e3;
    if !diagnostics.is_empty() || module.functions.is_empty() {
        return Err(pullback_base::render::render_all(&diagnostics.into_vec(), &sources));
    }
    Ok(elapsed)
}
