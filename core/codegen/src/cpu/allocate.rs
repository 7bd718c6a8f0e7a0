//! Places virtual registers in the register file: linear scan over live intervals.

use super::TARGET;
use super::code::Code;
use crate::EmitError;
use pullback_base::bytecode::{Instruction, Program, Reg};

/// From the first to the last instruction that touches a register, prologue and body counted through.
#[derive(Clone, Copy)]
struct Interval {
    first: usize,
    last: usize,
}

/// Largest register file, in units: what 32-bit byte offsets reach with room to spare.
const MOST_UNITS: u32 = 1 << 22;

pub fn allocate(mut code: Code) -> Result<Program, EmitError> {
    let intervals = intervals(&mut code);
    let mut order: Vec<usize> = (0..intervals.len()).filter(|&reg| intervals[reg].is_some()).collect();
    order.sort_by_key(|&reg| intervals[reg].map(|interval| interval.first));

    let mut places = vec![Reg::NONE; intervals.len()];
    // Registers in use, by place: (place, units, last).
    let mut active: Vec<(u32, u32, usize)> = Vec::new();
    let mut units = 0u32;
    for reg in order {
        let Some(interval) = intervals[reg] else { continue };
        // A register whose last use is here keeps its place: outputs overlap no operands.
        active.retain(|&(_, _, last)| last >= interval.first);
        let size = code.sizes[reg];
        let mut place = 0;
        let mut at = 0;
        for &(start, len, _) in &active {
            if place + size <= start {
                break;
            }
            place = start + len;
            at += 1;
        }
        active.insert(at, (place, size, interval.last));
        places[reg] = Reg(place);
        units = units.max(place.saturating_add(size));
        if units > MOST_UNITS {
            return Err(EmitError::Limit { target: TARGET, wanted: "hold so many array elements".into() });
        }
    }

    let place = |instructions: &mut Vec<Instruction>| {
        for instruction in instructions {
            instruction.registers(|reg, _| *reg = places[reg.0 as usize]);
        }
    };
    place(&mut code.prologue);
    place(&mut code.body);
    Ok(Program { units, shared_bytes: code.shared_bytes, prologue: code.prologue, body: code.body })
}

fn intervals(code: &mut Code) -> Vec<Option<Interval>> {
    let mut intervals: Vec<Option<Interval>> = vec![None; code.sizes.len()];
    let start = code.prologue.len();
    let end = start + code.body.len();
    for (at, instruction) in code.prologue.iter_mut().chain(&mut code.body).enumerate() {
        instruction.registers(|reg, _| {
            let interval = intervals[reg.0 as usize].get_or_insert(Interval { first: at, last: at });
            interval.last = at;
        });
    }
    let loops: Vec<(usize, usize)> = code
        .body
        .iter()
        .enumerate()
        .filter_map(|(at, instruction)| match instruction {
            Instruction::Jump { to } => Some((start + *to as usize, start + at)),
            _ => None,
        })
        .collect();
    for interval in intervals.iter_mut().flatten() {
        // What comes into a loop is needed in its every trip. Inner loops end first.
        for &(top, bottom) in &loops {
            if interval.first < top && (top..bottom).contains(&interval.last) {
                interval.last = bottom;
            }
        }
        // What the prologue leaves is needed in every chunk.
        if interval.first < start && interval.last >= start {
            interval.last = end;
        }
    }
    intervals
}
