@group(0) @binding(0) var<storage, read_write> count: u32;
fn f() { atomicAdd(&count, 1u); }
