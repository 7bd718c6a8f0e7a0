//! Memory and meeting lanes in imported languages: entry points from their text on every executor, against values worked
//! out by hand.

use pullback_lang::Language::{Glsl, Wgsl};
use pullback_tests::entries::gives;

fn ints(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn lanes_of_wgsl_know_their_place() {
    let text = "
@group(0) @binding(0) var<storage, read_write> a_result: array<i32>;
struct Place {
    @builtin(local_invocation_id) inner: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
}
@compute @workgroup_size(4, 2)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    place: Place,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let at = place.group.x * 8u + lane;
    a_result[at] = i32(id.x * 1000u + id.y * 100u + place.inner.x * 10u + groups.x);
}";
    let expected: Vec<i32> = (0..24)
        .map(|i| {
            let (group, x, y) = (i / 8, i % 4, i % 8 / 4);
            (group * 4 + x) * 1000 + y * 100 + x * 10 + 3
        })
        .collect();
    gives(Wgsl, text, 3, &[vec![0; 96]], &expected);
}

#[test]
fn what_a_workgroup_of_wgsl_shares_begins_with_zero() {
    let text = "
struct Cell { at: vec2<i32>, hits: atomic<u32> }
@group(0) @binding(0) var<storage, read_write> a_result: array<i32>;
var<workgroup> cells: array<Cell, 10>;
var<workgroup> total: atomic<i32>;
var<workgroup> chosen: i32;
fn neighbour(i: u32) -> i32 { return cells[(i + 1u) % 8u].at.y; }
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) i: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let before = cells[9].at.x + i32(atomicLoad(&cells[8].hits)) + chosen;
    workgroupBarrier();
    cells[i].at = vec2(i32(i), i32(i) * 10);
    cells[9].at.x = 5;
    chosen = 5;
    atomicAdd(&cells[8].hits, i);
    atomicSub(&total, 2);
    workgroupBarrier();
    let sum = i32(atomicLoad(&cells[8].hits)) + atomicLoad(&total);
    a_result[group.x * 8u + i] = before * 10000 + neighbour(i) + 100 * sum + workgroupUniformLoad(&chosen);
}";
    let expected: Vec<i32> = (0..16).map(|lane| (lane + 1) % 8 * 10 + 1200 + 5).collect();
    gives(Wgsl, text, 2, &[vec![0; 64]], &expected);
}

#[test]
fn a_tree_of_sums_meets_in_each_turn() {
    let text = "
@group(0) @binding(0) var<storage, read_write> a_sums: array<i32>;
@group(0) @binding(1) var<storage> values: array<i32>;
const LANES: u32 = 64u;
var<workgroup> part: array<i32, LANES>;
@compute @workgroup_size(LANES)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    part[lane] = values[id.x];
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half { part[lane] += part[lane + half]; }
    }
    if lane == 0u { a_sums[group.x] = part[0]; }
}";
    let values: Vec<i32> = (0..192).map(|i| i * i % 37 - 11).collect();
    let expected: Vec<i32> = values.chunks(64).map(|chunk| chunk.iter().sum()).collect();
    gives(Wgsl, text, 3, &[vec![0; 12], ints(&values)], &expected);
}

#[test]
fn atomics_of_wgsl_reach_buffers() {
    let text = "
struct Head { count: atomic<u32>, items: array<i32> }
@group(0) @binding(0) var<storage, read_write> a_result: array<atomic<i32>>;
@group(0) @binding(1) var<storage, read_write> head: Head;
@group(0) @binding(2) var<storage, read_write> once: atomic<i32>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) lane: u32) {
    let i = i32(lane);
    atomicMax(&a_result[0], i);
    atomicMin(&a_result[1], -i);
    atomicOr(&a_result[2], 1 << lane);
    atomicAnd(&a_result[3], ~(1 << lane));
    atomicXor(&a_result[4], i);
    atomicSub(&a_result[5], i);
    let slot = atomicAdd(&head.count, 1u);
    head.items[slot] = i;
    let swapped = atomicCompareExchangeWeak(&once, 7, i + 100);
    if swapped.exchanged { atomicStore(&a_result[6], swapped.old_value); }
    storageBarrier();
    if lane == 3u {
        var sum = 0;
        for (var n = 0u; n < arrayLength(&head.items); n += 1u) { sum += head.items[n]; }
        atomicStore(&a_result[7], sum);
        atomicExchange(&a_result[8], i32(atomicLoad(&head.count)));
        a_result_end(i32(atomicLoad(&once) >= 100));
    }
}
fn a_result_end(value: i32) { atomicStore(&a_result[9], value); }";
    let result = ints(&[-9, 9, 0, -1, 0, 0, 0, 0, 0, 0]);
    let expected = [31, -31, -1, 0, 0, -496, 7, 496, 32, 1];
    gives(Wgsl, text, 1, &[result, ints(&[0]), vec![0; 128], ints(&[7])], &expected);
}

#[test]
fn lanes_of_glsl_meet_and_know_their_place() {
    let text = "#version 450
layout(local_size_x = 4, local_size_y = 2) in;
layout(std430, binding = 0) buffer Result { int a_result[]; };
layout(std430, binding = 1) readonly buffer Values { ivec2 values[]; };
shared int tile[8];
int seen = 3;
int place() { return int(gl_GlobalInvocationID.x) * 1000 + int(gl_LocalInvocationID.y) * 100 + seen++; }
void main() {
    uint i = gl_LocalInvocationIndex;
    tile[i] = values[gl_WorkGroupID.x * 8 + i].y;
    barrier();
    int first = place();
    a_result[gl_WorkGroupID.x * 8 + i] = tile[7 - i] + first + 10000 * (place() - first) + int(gl_NumWorkGroups.x) * 100000;
}
";
    let values: Vec<i32> = (0..16).flat_map(|i| [0, i * 10]).collect();
    let expected: Vec<i32> = (0..16)
        .map(|i| {
            let (group, x, y) = (i / 8, i % 4, i % 8 / 4);
            (group * 8 + 7 - i % 8) * 10 + (group * 4 + x) * 1000 + y * 100 + 3 + 10000 + 200000
        })
        .collect();
    gives(Glsl, text, 2, &[vec![0; 64], ints(&values)], &expected);
}

/// `naga` itself has no atomics of GLSL.
#[cfg(feature = "shaderc")]
#[test]
fn atomics_of_glsl_reach_buffers_and_shared_memory() {
    let text = "#version 450
layout(local_size_x = 32) in;
layout(std430, binding = 0) buffer Result { int a_result[]; };
layout(std430, binding = 1) buffer Head { uint count; int items[]; };
shared uint turns;
void main() {
    int i = int(gl_LocalInvocationIndex);
    if (i == 0) turns = 0;
    memoryBarrierShared();
    barrier();
    atomicAdd(turns, 2u);
    atomicMax(a_result[0], i);
    atomicMin(a_result[1], -i);
    atomicOr(a_result[2], 1 << i);
    items[atomicAdd(count, 1u)] = i;
    int old = atomicCompSwap(a_result[3], 7, 8);
    if (old == 7) atomicExchange(a_result[4], i >= 0 ? 5 : 6);
    memoryBarrier();
    barrier();
    if (i == 3) {
        int sum = 0;
        for (int n = 0; n < items.length(); n++) sum += items[n];
        a_result[5] = sum;
        a_result[6] = int(count + turns);
    }
}
";
    let expected = [31, -31, -1, 8, 5, 496, 96];
    gives(Glsl, text, 1, &[ints(&[-9, 9, 0, 7, 0, 0, 0]), ints(&[0]), vec![0; 128]], &expected);
}
