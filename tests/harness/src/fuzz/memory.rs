//! Programs that take memory: through buffers, values and derivatives must be those through arrays that are copied in and out.

use super::oracle::{Failure, Point, Program, agree, compiled, derived, in_range, in_time, ran};
use super::program::{BUFFERS, CELLS, MEMORY, PARTS, Ty};
use crate::corpus::Subject;
use crate::derivatives::{dot, dot_size, float, marked, numbers, values};
use crate::lanes;
use crate::wide::Wide;
use pullback_autodiff::{LoopOptions, VjpRequest};
use pullback_interp::{Memory, Number, Pointer, Value, run_with};
use pullback_ir::layout::{layout, leaf_offsets};
use pullback_ir::{Constant, Module, Scalar, Type, Verified};

const REVERSE: &str = "reverse by buffers";

/// The form of a program with buffers, beside the one with arrays.
struct Buffered<'a> {
    arrays: &'a Program,
    subject: Subject,
    buffers: Vec<Buffer>,
    /// The numbers before them of a lane.
    params: usize,
}

/// How a buffer lies in memory.
struct Buffer {
    element: Type,
    count: usize,
    written: bool,
}

/// Checks the derivatives of a text with memory; gives the code of a refusal.
pub(super) fn check(
    arrays: &Program,
    text: &str,
    seed: u64,
    points: &[Point],
) -> Result<Option<String>, Failure> {
    let (case, subject) = compiled(&format!("{BUFFERS}{text}"))?;
    let types = subject.flat.param_types();
    let params = types.iter().position(is_pointer).unwrap_or(types.len());
    // The flat parameters say of structs in memory only where they are.
    let declared = case.module.functions[subject.id].param_types();
    let elements = declared.iter().flat_map(Type::leaves).filter_map(|ty| match ty {
        Type::Pointer(element) => Some((*element).clone()),
        _ => None,
    });
    let buffers = MEMORY.iter().zip(elements).map(|(param, element)| Buffer {
        element,
        count: if param.ty == Ty::Parts { PARTS } else { CELLS },
        written: !param.direction.is_empty(),
    });
    let form = Buffered { arrays, buffers: buffers.collect(), params, subject };
    points.iter().try_for_each(|point| form.check_values(point))?;

    let active: Vec<bool> =
        types.iter().zip(&form.subject.params).map(|(ty, carries)| is_pointer(ty) || *carries).collect();
    match derived("forward by buffers", lanes::forward_derivative(form.subject.primal(), &active))? {
        Ok(forward) => {
            let forward = lanes::alone(&forward);
            points.iter().try_for_each(|point| form.check_forward(&forward, point))?;
        }
        Err(code) => return Ok(Some(code)),
    }
    let loops = LoopOptions { slots: Some(1 + seed as u32 % 4), reversed: seed.is_multiple_of(3) };
    let request = VjpRequest {
        distinct_params: vec![true; active.len()],
        keep_results: seed.is_multiple_of(2),
        loops: if seed.is_multiple_of(5) { LoopOptions::default() } else { loops },
        ..VjpRequest::new(active, form.subject.results.clone())
    };
    match derived("reverse by buffers", lanes::requested_derivative(form.subject.primal(), &request))? {
        Ok(reverse) => {
            let reverse = lanes::alone(&reverse);
            let check = |point| form.check_reverse(&reverse, request.keep_results, point);
            in_time(points.iter().try_for_each(check))?;
            Ok(None)
        }
        Err(code) => Ok(Some(code)),
    }
}

fn is_pointer(ty: &Type) -> bool {
    matches!(ty, Type::Pointer(_))
}

impl Buffer {
    /// The leaves' scalars and where they lie.
    fn places(&self) -> Vec<(usize, Scalar)> {
        let (size, leaves) = (layout(&self.element).size_bytes as usize, leaf_offsets(&self.element));
        let scalar = |ty: &Type| ty.scalar().unwrap_or_else(|| panic!("{ty} in memory"));
        let of = |index| leaves.iter().map(move |(offset, ty)| (index * size + *offset as usize, scalar(ty)));
        (0..self.count).flat_map(of).collect()
    }

    fn filled(&self, mut next: impl FnMut(Scalar) -> Constant) -> Vec<u8> {
        let mut bytes = vec![0; layout(&self.element).size_bytes as usize * self.count];
        for (place, scalar) in self.places() {
            let size = scalar.size_bytes();
            bytes[place..place + size].copy_from_slice(&next(scalar).bits().to_le_bytes()[..size]);
        }
        bytes
    }

    fn leaves(&self, bytes: &[u8]) -> Vec<Constant> {
        let read = |(place, scalar): (usize, Scalar)| {
            let (mut word, size) = ([0; 8], scalar.size_bytes());
            word[..size].copy_from_slice(&bytes[place..place + size]);
            Constant::from_bits(scalar, u64::from_le_bytes(word))
        };
        self.places().into_iter().map(read).collect()
    }
}

impl Buffered<'_> {
    /// The buffers at a point.
    fn filled(&self, point: &Point) -> Vec<Vec<u8>> {
        let mut leaves = point.lane[self.params..].iter();
        let mut next = |_| *leaves.next().unwrap_or_else(|| panic!("a lane is too short"));
        self.buffers.iter().map(|buffer| buffer.filled(&mut next)).collect()
    }

    /// Derivatives of buffers, in order, for all of them or the written ones; zero in the others.
    fn duals(&self, derivatives: &[f64], written_only: bool) -> Vec<Vec<u8>> {
        let mut next = derivatives.iter();
        let fill = |buffer: &Buffer| {
            buffer.filled(|scalar| match scalar.is_float() && (buffer.written || !written_only) {
                true => {
                    Constant::float(scalar, *next.next().unwrap_or_else(|| panic!("too few derivatives")))
                }
                false => Constant::zero(scalar),
            })
        };
        self.buffers.iter().map(fill).collect()
    }

    /// The numbers and the buffers of a point, then the derivatives of buffers, if any, then these numbers.
    fn args<N: Number>(&self, point: &Point, duals: bool, behind: &[f64]) -> Vec<Value<N>> {
        let pointer = |buffer| Value::Pointer(Pointer { buffer, offset_bytes: 0 });
        let mut args = values(point.lane[..self.params].iter().copied(), N::from_constant);
        for (at, buffer) in self.buffers.iter().enumerate() {
            args.extend([pointer(at), Value::constant(Constant::int(Scalar::I64, buffer.count as i64))]);
        }
        if duals {
            args.extend((0..self.buffers.len()).map(|at| pointer(self.buffers.len() + at)));
        }
        args.extend(behind.iter().map(|&number| float(number)));
        args
    }

    /// The leaves of these buffers that `take` wants.
    fn read(&self, memory: &[Vec<u8>], take: impl Fn(&Buffer, &Constant) -> bool) -> Vec<f64> {
        let leaves = self.buffers.iter().zip(memory).flat_map(|(buffer, bytes)| {
            buffer
                .leaves(bytes)
                .into_iter()
                .filter(|leaf| take(buffer, leaf))
                .map(Constant::as_f64)
                .collect::<Vec<_>>()
        });
        leaves.collect()
    }

    /// Results, and what written buffers hold after, are those of the form with arrays.
    fn agree_in_values(
        &self,
        kind: &str,
        point: &Point,
        results: &[f64],
        memory: &[Vec<u8>],
    ) -> Result<(), Failure> {
        let written = self.read(memory, |buffer, _| buffer.written);
        let found = results.iter().chain(&written);
        point.values.iter().zip(found).try_for_each(|(&expected, &found)| {
            agree(kind, point, 1.0 + expected.abs(), || self.arrays.noise(point), (true, expected, found))
        })
    }

    fn check_values(&self, point: &Point) -> Result<(), Failure> {
        let (kind, mut memory) = ("values by buffers", self.filled(point));
        let flat = lanes::alone(&self.subject.flat);
        let results = run::<f64>(&flat, kind, &self.args(point, false, &[]), &mut memory)?;
        self.agree_in_values(kind, point, &results, &memory)
    }

    /// `J v`, the tangents of buffers being buffers.
    fn check_forward(&self, forward: &Verified<Module>, point: &Point) -> Result<(), Failure> {
        let kind = "forward by buffers";
        let numbers = self.active_numbers();
        let (v, dv) = point.v.split_at(numbers);
        let mut memory = self.filled(point);
        memory.extend(self.duals(dv, false));
        let found = run::<f64>(forward, kind, &self.args(point, true, v), &mut memory)?;
        let (results, mut tangents) = (self.subject.flat.results.len(), found.clone());
        tangents.drain(..results);
        tangents.extend(
            self.read(&memory[self.buffers.len()..], |buffer, leaf| {
                buffer.written && leaf.scalar().is_float()
            }),
        );
        let floats: Vec<bool> = self.arrays.subject.flat.results.iter().map(|ty| ty.is_float()).collect();
        let (expected, counts) =
            (marked(&point.slopes, &floats), marked(&self.arrays.subject.results, &floats));
        let size = 1.0 + expected.iter().fold(0.0, |size: f64, slope| size.max(slope.abs()));
        for ((&expected, &found), &counts) in expected.iter().zip(&tangents).zip(&counts) {
            agree(kind, point, size, || self.arrays.noise(point), (counts, expected, found))?;
        }
        self.agree_in_values(kind, point, &found[..results], &memory)
    }

    /// `<v, J^T w> = <J v, w>`, the cotangents of buffers being buffers. Where the function runs again to give its results, it
    /// begins with the memory it found; else the derivative runs with what it left.
    fn check_reverse(
        &self,
        reverse: &Verified<Module>,
        keeps_results: bool,
        point: &Point,
    ) -> Result<(), Failure> {
        let pulled = in_range(
            || self.pulled_back::<f64>(reverse, keeps_results, point),
            || self.pulled_back::<Wide>(reverse, keeps_results, point),
        )?;
        let slopes = marked(&point.slopes, &self.arrays.subject.results);
        let size = 1.0 + dot_size(&slopes, &point.w) + dot_size(&pulled, &point.v);
        let pair = (true, dot(&slopes, &point.w), dot(&pulled, &point.v));
        agree(REVERSE, point, size, || self.arrays.noise(point), pair)
    }

    /// `J^T w`: the cotangents of numbers, then those that are in buffers.
    fn pulled_back<N: Number>(
        &self,
        reverse: &Verified<Module>,
        keeps_results: bool,
        point: &Point,
    ) -> Result<Vec<f64>, Failure> {
        let seeds = self.subject.results.iter().filter(|seeded| **seeded).count();
        let (numbers, in_buffers) = point.w.split_at(seeds);
        let mut memory = self.filled(point);
        if !keeps_results {
            let flat = lanes::alone(&self.subject.flat);
            run::<f64>(&flat, REVERSE, &self.args(point, false, &[]), &mut memory)?;
        }
        memory.extend(self.duals(in_buffers, true));
        let mut found = run::<N>(reverse, REVERSE, &self.args(point, true, numbers), &mut memory)?;
        if keeps_results {
            let gradient = found.split_off(self.subject.flat.results.len());
            self.agree_in_values(REVERSE, point, &found, &memory)?;
            found = gradient;
        }
        found.extend(self.read(&memory[self.buffers.len()..], |_, leaf| leaf.scalar().is_float()));
        Ok(found)
    }

    /// The numbers before the buffers that have derivatives.
    fn active_numbers(&self) -> usize {
        self.subject.params[..self.params].iter().filter(|active| **active).count()
    }
}

/// The results of a function that reads and changes memory.
fn run<N: Number>(
    module: &Verified<Module>,
    kind: &str,
    args: &[Value<N>],
    memory: &mut [Vec<u8>],
) -> Result<Vec<f64>, Failure> {
    let mut memory = Memory::new(memory.iter_mut().map(|buffer| &mut buffer[..]));
    let results = ran(kind, run_with(module, lanes::first(module), args, &mut memory))?;
    Ok(numbers(&results))
}
