var<workgroup> tile: array<f32, 512>;
@compute @workgroup_size(512)
fn main(@builtin(local_invocation_index) lane: u32) { tile[lane] = 1.0; }
