//! What differentiation costs: interpreted statements and CPU time of `tests/bench/derived.slang`, primal and derived.

use pullback_device::cpu::CpuDevice;
use pullback_interp::{Value, run_counted};
use pullback_ir::Function;
use pullback_lang::Language;
use pullback_tests::corpus::{Case, Domain, Subject, tests_folder};
use pullback_tests::emit::emit;
use pullback_tests::lanes::{self, Lane};
use pullback_tests::launch::timed_on_device;
use pullback_tests::random::Random;
use pullback_tests::tolerance::Target;
use std::process::ExitCode;

/// The functions of the table, and whether they loop: what they may cost differs.
const FUNCTIONS: [(&str, bool); 14] = [
    ("polynomial", false),
    ("gaussian", false),
    ("rotated", false),
    ("shaded", false),
    ("sphere_hit", false),
    ("determinant4", false),
    ("perceptron", false),
    ("newton_root", true),
    ("pendulum", true),
    ("swung", true),
    ("logistic", true),
    ("gathered", true),
    ("traced_field", true),
    ("path_traced", true),
];
/// Value and gradient over value.
const STRAIGHT_TARGET: f64 = 4.0;
const LOOP_TARGET: f64 = 8.0;
const LANES: usize = 16384;
/// Lanes whose statements are counted.
const COUNTED_LANES: usize = 64;
const LAUNCHES: usize = 9;
const DOMAIN: Domain = Domain { floats: (-1.0, 1.0), ints: (48, 80) };

/// What one function costs over all lanes.
struct Cost {
    statements: f64,
    microseconds: f64,
}

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
    let file = tests_folder().join("bench/derived.slang");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let case = Case::compile("", "derived.slang", &text, Language::Slang)?;
    println!(
        "value and gradient over value: interpreted statements per lane, and CPU time over {LANES} lanes"
    );
    println!("{:14} {:>20} {:>28} {:>8}", "function", "statements", "time (us)", "target");
    let mut missed = 0;
    for (name, loops) in FUNCTIONS {
        let subject = Subject::of(&case.module, &case.sources, name, DOMAIN)?;
        let derived = lanes::value_and_gradient(subject.primal(), &subject.params, &subject.results)
            .map_err(|refusal| format!("{name} is refused: {refusal:?}"))?;
        let mut random = Random::of_name(name);
        let scalars = subject.param_scalars();
        let primal_lanes: Vec<Lane> =
            (0..LANES).map(|_| lanes::random_lane(&scalars, DOMAIN, &mut random)).collect();
        let seed = pullback_ir::Constant::float(pullback_ir::Scalar::F32, 1.0);
        let derived_lanes: Vec<Lane> =
            primal_lanes.iter().map(|lane| lane.iter().copied().chain([seed]).collect()).collect();
        let (primal, both) = (cost(&subject.flat, &primal_lanes)?, cost(&derived, &derived_lanes)?);
        let target = if loops { LOOP_TARGET } else { STRAIGHT_TARGET };
        let (counted, timed) = (both.statements / primal.statements, both.microseconds / primal.microseconds);
        missed += usize::from(counted > target);
        println!(
            "{name:14} {:6.0} {:6.0} {counted:5.1} x {:9.0} {:9.0} {timed:6.1} x {:>6} {}",
            primal.statements,
            both.statements,
            primal.microseconds,
            both.microseconds,
            format!("{target} x"),
            if counted <= target { "met" } else { "MISSED" },
        );
    }
    println!("{missed} of {} miss their target in statements", FUNCTIONS.len());
    Ok(())
}

fn cost(function: &Function, all: &[Lane]) -> Result<Cost, String> {
    let module = lanes::alone(function);
    let mut statements = 0;
    for lane in &all[..COUNTED_LANES] {
        let args: Vec<Value<f64>> = pullback_tests::derivatives::values(lane.iter().copied(), |c| c.as_f64());
        let (_, steps) = run_counted(&module, lanes::first(&module), &args).map_err(|e| e.to_string())?;
        statements += steps;
    }
    let artifact = emit(&lanes::kernel(function), Target::Cpu).map_err(|error| error.to_string())?;
    let (args, mut buffers) = lanes::buffers(function, all);
    let fastest =
        timed_on_device(&CpuDevice::new(), &artifact, &args, all.len() as u64, &mut buffers, LAUNCHES)
            .map_err(|error| error.to_string())?;
    Ok(Cost {
        statements: statements as f64 / COUNTED_LANES as f64,
        microseconds: fastest.as_secs_f64() * 1e6,
    })
}
