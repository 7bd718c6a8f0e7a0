//! Random programs: scalars, arrays with dynamic indices, nested branches and loops.

use crate::ops::Random;
use crate::run::{close, complex_step, doubles, floats, gradient, jvp};
use pullback_autodiff::{LoopOptions, VjpRequest, vjp};
use pullback_ir::{Function, FunctionBuilder, FunctionKind, LoopHints, Op, Type, Value};

const ARRAY_LEN: u32 = 4;
/// The float parameters; one integer parameter follows.
const INPUTS: usize = 3;

/// The values a statement may read.
#[derive(Clone)]
struct Scope {
    floats: Vec<Value>,
    integers: Vec<Value>,
    arrays: Vec<Value>,
}

struct Generator {
    b: FunctionBuilder,
    random: Random,
}

impl Generator {
    fn program(seed: u64) -> Function {
        let mut b = FunctionBuilder::new("program", FunctionKind::Plain);
        let floats: Vec<Value> = (0..INPUTS).map(|i| b.param(Type::F64, &format!("x{i}"))).collect();
        let integers = vec![b.param(Type::I32, "n")];
        let mut generator = Generator { b, random: Random(seed) };
        let mut scope = Scope { floats, integers, arrays: Vec::new() };
        let elements: Vec<Value> = (0..ARRAY_LEN).map(|_| generator.expression(&scope)).collect();
        let array = Type::array(Type::F64, ARRAY_LEN);
        scope.arrays.push(generator.b.op(Op::Construct(array.clone()), &elements));
        scope.arrays.push(generator.b.op(Op::Splat(array), &[elements[0]]));
        let statements = 4 + generator.random.below(8);
        generator.statements(&mut scope, statements, 3);
        let Generator { mut b, mut random, .. } = generator;
        let mut total = scope.floats[scope.floats.len() - 1];
        for &array in &scope.arrays[scope.arrays.len() - 2..] {
            let element = b.extract(array, random.below(ARRAY_LEN as usize) as u32);
            total = b.add(total, element);
        }
        let other = random.pick(&scope.floats);
        b.finish(vec![total, other])
    }

    fn number(&mut self, value: f64) -> Value {
        self.b.number(&Type::F64, value)
    }

    fn float(&mut self, scope: &Scope) -> Value {
        // Late values more often: programs get deep.
        let n = scope.floats.len();
        let from = if self.random.chance(0.5) { n.saturating_sub(4) } else { 0 };
        self.random.pick(&scope.floats[from..])
    }

    /// `low <= value <= high`, smoothly: `middle + half sin(x)`.
    fn within(&mut self, x: Value, low: f64, high: f64) -> Value {
        let sine = self.b.op(Op::Sin, &[x]);
        let half = self.number((high - low) / 2.0);
        let middle = self.number((high + low) / 2.0);
        self.b.op(Op::Fma, &[sine, half, middle])
    }

    fn integer(&mut self, scope: &Scope) -> Value {
        match self.random.below(4) {
            0 => {
                let x = self.float(scope);
                let three = self.number(3.0);
                let scaled = self.b.mul(x, three);
                self.b.op(Op::Convert(Type::I32.scalar().expect("a scalar")), &[scaled])
            }
            1 => {
                let value = self.random.below(7) as f64 - 1.0;
                self.b.number(&Type::I32, value)
            }
            _ => self.random.pick(&scope.integers),
        }
    }

    fn condition(&mut self, scope: &Scope) -> Value {
        let op = self.random.pick(&[0, 1]);
        let (a, b) = if op == 0 {
            (self.float(scope), self.float(scope))
        } else {
            (self.integer(scope), self.integer(scope))
        };
        self.b.op(Op::Lt, &[a, b])
    }

    /// A new float of order one.
    fn expression(&mut self, scope: &Scope) -> Value {
        let (x, y) = (self.float(scope), self.float(scope));
        match self.random.below(17) {
            0 => self.b.add(x, y),
            1 => self.b.sub(x, y),
            2 | 3 => {
                let bounded = self.b.op(Op::Tanh, &[y]);
                self.b.mul(x, bounded)
            }
            4 => {
                let op = self.random.pick(&[0, 1, 2]);
                self.b.op([Op::Sin, Op::Cos, Op::Atan][op].clone(), &[x])
            }
            5 => {
                let divisor = self.within(y, 0.5, 2.0);
                self.b.div(x, divisor)
            }
            6 => {
                let op = self.random.below(6);
                let ops = [Op::Sqrt, Op::Rsqrt, Op::Rcp, Op::Log, Op::Log2, Op::Log10];
                let positive = self.within(x, 0.3, 2.0);
                self.b.op(ops[op].clone(), &[positive])
            }
            7 => {
                let (base, exponent) = (self.within(x, 0.3, 2.0), self.within(y, -2.0, 3.0));
                self.b.op(Op::Pow, &[base, exponent])
            }
            8 => {
                let condition = self.condition(scope);
                self.b.select(condition, x, y)
            }
            9 => {
                let op = self.random.pick(&[0, 1]);
                self.b.op([Op::Min, Op::Max][op].clone(), &[x, y])
            }
            10 => {
                let (low, high) = (self.number(-0.4), self.within(y, 0.0, 1.0));
                self.b.op(Op::Clamp, &[x, low, high])
            }
            11 => {
                let op = self.random.below(5);
                let bounded = self.within(x, -0.9, 0.9);
                let ops = [Op::Asin, Op::Acos, Op::Atanh, Op::Asinh, Op::Exp];
                self.b.op(ops[op].clone(), &[bounded])
            }
            12 => {
                let modulus = self.within(y, 0.4, 1.5);
                self.b.op(Op::Rem, &[x, modulus])
            }
            13 => {
                let detached = self.b.op(Op::Detach, &[y]);
                self.b.mul(detached, x)
            }
            14 => {
                let away = self.within(y, 0.5, 1.5);
                self.b.op(Op::Atan2, &[x, away])
            }
            _ => {
                let array = self.array(scope);
                let Some(array) = array else { return self.b.neg(x) };
                let index = self.integer(scope);
                self.b.op(Op::ElementGet, &[array, index])
            }
        }
    }

    fn array(&mut self, scope: &Scope) -> Option<Value> {
        (!scope.arrays.is_empty()).then(|| self.random.pick(&scope.arrays))
    }

    fn statements(&mut self, scope: &mut Scope, count: usize, depth: usize) {
        for _ in 0..count {
            match self.random.below(10) {
                0 | 1 if depth > 0 => self.branch(scope, depth),
                2 if depth > 0 => self.switch(scope, depth),
                3 if depth > 0 && self.random.chance(0.3) => self.inactive_loop(scope),
                3 if depth > 0 => self.active_loop(scope, depth),
                4 => {
                    let (array, index) = (self.random.pick(&scope.arrays), self.integer(scope));
                    let element = self.expression(scope);
                    let set = self.b.op(Op::ElementSet, &[array, index, element]);
                    scope.arrays.push(set);
                }
                5 => {
                    let (array, other) = (self.random.pick(&scope.arrays), self.random.pick(&scope.arrays));
                    let number = self.random.below(ARRAY_LEN as usize) as u32;
                    let element = self.b.extract(other, number);
                    let inserted = self.b.op(Op::Insert(self.random.below(4) as u32), &[array, element]);
                    let condition = self.condition(scope);
                    let selected = self.b.select(condition, inserted, other);
                    scope.arrays.push(selected);
                }
                6 => {
                    let integer = self.integer(scope);
                    scope.integers.push(integer);
                }
                _ => {
                    let value = self.expression(scope);
                    scope.floats.push(value);
                }
            }
        }
    }

    /// The yields of an arm: floats (one of them perhaps twice, or from outside) and an array.
    fn arm(&mut self, scope: &Scope, depth: usize) -> pullback_ir::Block {
        let mut inner = scope.clone();
        self.b.begin_block();
        let statements = self.random.below(5);
        self.statements(&mut inner, statements, depth - 1);
        let first = self.float(&inner);
        let second = if self.random.chance(0.2) { first } else { self.float(&inner) };
        let array = if self.random.chance(0.5) {
            inner.arrays[inner.arrays.len() - 1]
        } else {
            self.random.pick(&inner.arrays)
        };
        self.b.end_block(vec![first, second, array])
    }

    fn enter(scope: &mut Scope, results: &[Value]) {
        scope.floats.extend(&results[..2]);
        scope.arrays.push(results[2]);
    }

    fn branch(&mut self, scope: &mut Scope, depth: usize) {
        let condition = self.condition(scope);
        let (then, otherwise) = (self.arm(scope, depth), self.arm(scope, depth));
        let results = self.b.push_if(condition, then, otherwise);
        Self::enter(scope, &results);
    }

    fn switch(&mut self, scope: &mut Scope, depth: usize) {
        let selector = self.integer(scope);
        let cases = vec![(vec![0, 3], self.arm(scope, depth)), (vec![1], self.arm(scope, depth))];
        let default = self.arm(scope, depth);
        let results = self.b.results_like(&default.yields);
        let kind = pullback_ir::StmtKind::Switch { results: results.clone(), selector, cases, default };
        self.b.push(kind);
        Self::enter(scope, &results);
    }

    /// `params = (i, a, ..)`: the trip count depends on data, up to six, in outermost loops up to 17.
    fn active_loop(&mut self, scope: &mut Scope, depth: usize) {
        let most = if depth == 3 { self.random.pick(&[6, 17]) } else { 6 };
        let (start, bound) = (self.b.number(&Type::I32, 0.0), self.b.number(&Type::I32, f64::from(most)));
        let inits = [start, self.float(scope), self.float(scope), self.random.pick(&scope.arrays)];
        let params = self.b.results_like(&inits);
        let mut inner = scope.clone();
        inner.integers.push(params[0]);
        Self::enter(&mut inner, &params[1..]);
        self.b.begin_block();
        let (limit, in_bounds) = (self.number(1.5), self.b.op(Op::Lt, &[params[0], bound]));
        let small = self.b.op(Op::Lt, &[params[1], limit]);
        let go_on = self.b.op(Op::And, &[in_bounds, small]);
        let head = self.b.end_block(vec![go_on]);
        let mut body = self.arm(&inner, depth);
        self.b.begin_block();
        let one = self.b.number(&Type::I32, 1.0);
        let next = self.b.add(params[0], one);
        if self.random.chance(0.5) {
            // The array of each trip counts, so that it is part of the state.
            let element = self.b.op(Op::ElementGet, &[params[3], params[0]]);
            let sine = self.b.op(Op::Sin, &[element]);
            body.yields[0] = self.b.mul(body.yields[0], sine);
        }
        let bounded: Vec<Value> = body.yields[..2].iter().map(|&y| self.b.op(Op::Tanh, &[y])).collect();
        let end = self.b.end_block(vec![next, bounded[0], bounded[1], body.yields[2]]);
        body.stmts.extend(end.stmts);
        body.yields = end.yields;
        let results = self.b.results_like(&inits);
        self.b.push(pullback_ir::StmtKind::Loop {
            results: results.clone(),
            inits: inits.to_vec(),
            params,
            head,
            body,
            hints: LoopHints::default(),
        });
        Self::enter(scope, &results[1..]);
    }

    /// A coefficient from a loop over a detached value.
    fn inactive_loop(&mut self, scope: &mut Scope) {
        let value = self.float(scope);
        let detached = self.b.op(Op::Detach, &[value]);
        let (start, bound) = (self.b.number(&Type::I32, 0.0), self.b.number(&Type::I32, 3.0));
        let results = self.b.loop_(
            &[start, detached],
            LoopHints::default(),
            |b, p| b.op(Op::Lt, &[p[0], bound]),
            |b, p| {
                let one = b.number(&Type::I32, 1.0);
                vec![b.add(p[0], one), b.op(Op::Cos, &[p[1]])]
            },
        );
        scope.floats.push(results[1]);
    }
}

/// Where a program is evaluated: the floats, then the integer.
fn point(random: &mut Random) -> Vec<f64> {
    let floats = (0..INPUTS).map(|_| random.between(-1.5, 1.5));
    let mut point: Vec<f64> = floats.collect();
    point.push(random.below(6) as f64 - 1.0);
    point
}

fn direction(random: &mut Random, len: usize) -> Vec<f64> {
    (0..len).map(|_| random.between(-1.0, 1.0)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `J^T w` by complex steps.
fn expected_gradient(f: &Function, x: &[f64], w: &[f64]) -> Vec<f64> {
    (0..INPUTS).map(|i| dot(&complex_step(f, x, i), w)).collect()
}

fn assert_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64, f: &Function, x: &[f64]) {
    let agree = found.iter().zip(expected).all(|(a, b)| close(*a, *b, tolerance));
    assert!(agree && found.len() == expected.len(), "{what}: {found:?}, expected {expected:?} at {x:?}\n{f}");
}

#[test]
fn both_modes_agree_with_complex_steps_on_random_programs() {
    let mut size = 0;
    for seed in 0..600 {
        let f = Generator::program(seed);
        let mut random = Random(seed ^ 0xA5A5);
        let (pullback, pushforward) = (gradient(&f), jvp(&f));
        size += f.values.len();
        for _ in 0..3 {
            let (x, v) = (point(&mut random), direction(&mut random, INPUTS));
            let w = direction(&mut random, 2);
            let from_reverse = doubles(&pullback, &[x.clone(), w.clone()].concat());
            let expected = expected_gradient(&f, &x, &w);
            assert_close("gradient", &from_reverse, &expected, 1e-9, &f, &x);
            let from_forward = doubles(&pushforward, &[x.clone(), v.clone()].concat())[2..].to_vec();
            let (left, right) = (dot(&w, &from_forward), dot(&from_reverse, &v));
            assert_close("<w, Jv> = <J'w, v>", &[left], &[right], 1e-9, &f, &x);
        }
    }
    assert!(size > 600 * 40, "the programs are small: {size} values");
}

#[test]
fn forward_mode_gives_the_results_and_what_complex_steps_give() {
    for seed in 0..400 {
        let f = Generator::program(seed);
        let pushforward = jvp(&f);
        let mut random = Random(seed ^ 0x5A5A);
        for _ in 0..3 {
            let (x, v) = (point(&mut random), direction(&mut random, INPUTS));
            let found = doubles(&pushforward, &[x.clone(), v.clone()].concat());
            assert_close("results", &found[..2], &doubles(&f, &x), 0.0, &f, &x);
            let columns: Vec<Vec<f64>> = (0..INPUTS).map(|i| complex_step(&f, &x, i)).collect();
            let row = |k: usize| columns.iter().zip(&v).map(|(column, v)| column[k] * v).sum::<f64>();
            assert_close("tangent", &found[2..], &[row(0), row(1)], 1e-9, &f, &x);
        }
    }
}

#[test]
fn second_derivatives_of_random_programs_agree_three_ways() {
    for seed in 0..200 {
        let f = Generator::program(seed);
        let first = gradient(&f);
        let (forward_over_reverse, reverse_over_reverse) = (jvp(&first), gradient(&first));
        let mut random = Random(seed ^ 0x3C3C);
        let (x, v, w) = (point(&mut random), direction(&mut random, INPUTS), direction(&mut random, 2));
        let at = [x.clone(), w].concat();
        let hessian: Vec<Vec<f64>> = (0..INPUTS).map(|i| complex_step(&first, &at, i)).collect();
        let expected: Vec<f64> = hessian.iter().map(|row| dot(row, &v)).collect();
        let transposed: Vec<f64> =
            (0..INPUTS).map(|k| hessian.iter().zip(&v).map(|(row, v)| row[k] * v).sum()).collect();
        assert_close("symmetry", &expected, &transposed, 1e-7, &f, &x);
        let tangents = [v.clone(), vec![0.0; 2]].concat();
        let found = doubles(&forward_over_reverse, &[at.clone(), tangents].concat());
        assert_close("forward over reverse", &found[INPUTS..], &expected, 1e-8, &f, &x);
        let found = doubles(&reverse_over_reverse, &[at, v].concat());
        assert_close("reverse over reverse", &found[..INPUTS], &expected, 1e-8, &f, &x);
    }
}

#[test]
fn any_choice_of_parameters_and_results_gives_the_same_numbers() {
    for seed in 0..200 {
        let f = Generator::program(seed);
        let mut random = Random(seed ^ 0x1234);
        let x = point(&mut random);
        let mut active: Vec<bool> = (0..INPUTS).map(|_| random.chance(0.5)).collect();
        active.push(false);
        let seeded = [random.chance(0.7), random.chance(0.7)];
        let request = VjpRequest { keep_results: true, ..VjpRequest::new(active.clone(), seeded.to_vec()) };
        let derived = vjp(&f, &request).expect("has a VJP");
        assert_eq!(derived.to_string(), vjp(&f, &request).expect("has a VJP").to_string());
        let w: Vec<f64> = seeded.iter().map(|&s| if s { random.between(-1.0, 1.0) } else { 0.0 }).collect();
        let given: Vec<f64> = w.iter().zip(seeded).filter(|(_, s)| *s).map(|(w, _)| *w).collect();
        let found = doubles(&derived, &[x.clone(), given].concat());
        assert_close("results", &found[..2], &doubles(&f, &x), 0.0, &f, &x);
        let expected = expected_gradient(&f, &x, &w);
        let expected: Vec<f64> = expected.iter().zip(&active).filter(|(_, a)| **a).map(|(g, _)| *g).collect();
        assert_close("gradient", &found[2..], &expected, 1e-9, &f, &x);
    }
}

#[test]
fn the_number_of_slots_changes_no_gradient() {
    for seed in 0..200 {
        let f = Generator::program(seed);
        let (active, seeded) = floats(&f);
        let mut random = Random(seed ^ 0x4242);
        let x = [point(&mut random), direction(&mut random, 2)].concat();
        let expected = doubles(&gradient(&f), &x);
        for slots in 1..=4 {
            let loops = LoopOptions { slots: Some(slots), reversed: true };
            let request = VjpRequest { loops, ..VjpRequest::new(active.clone(), seeded.clone()) };
            let found = doubles(&vjp(&f, &request).expect("has a VJP"), &x);
            assert_close("few slots", &found, &expected, 0.0, &f, &x);
        }
    }
}

#[test]
fn optimized_gradients_give_the_same_numbers() {
    let (mut before, mut after) = (0, 0);
    for seed in 0..200 {
        let derived = gradient(&Generator::program(seed));
        let optimized = pullback_passes::optimize(derived.clone());
        (before, after) = (before + statements(&derived), after + statements(&optimized));
        let mut random = Random(seed ^ 0x7777);
        for _ in 0..3 {
            let x = [point(&mut random), direction(&mut random, 2)].concat();
            let (found, expected) = (doubles(&optimized, &x), doubles(&derived, &x));
            assert_close("optimized", &found, &expected, 1e-12, &derived, &x);
        }
    }
    assert!(after < before, "{before} statements, {after} when optimized");
}

fn statements(function: &Function) -> usize {
    let mut count = 0;
    pullback_ir::visit::each_stmt(&function.body, &mut |_| count += 1);
    count
}
