//! Entry points, globals and buffers: programs run as their authors launch them, on the interpreter.

use pullback_interp::{KernelArg, run_kernel};
use pullback_ir::{Constant, EntryPoint, Scalar, Type, verify};
use pullback_lang::{Language, Options, compile};

/// What a leaf of a global is given.
#[derive(Clone, Copy)]
enum Given {
    /// The buffer of that number.
    Buffer(usize),
    Number(Constant),
}

/// Launches the only entry point on `groups` workgroups. `given` are the leaves of its globals in order.
fn launch(text: &str, groups: [u32; 3], given: &[Given], buffers: &mut [Vec<u8>]) -> EntryPoint {
    let compiled = compile(Language::Slang, "t.slang", text, &Options::default());
    if compiled.diagnostics.has_errors() {
        panic!("{}", pullback_base::render::render_all(&compiled.diagnostics.into_vec(), &compiled.sources));
    }
    let [entry] = &compiled.module.entry_points[..] else {
        panic!("{} entry points", compiled.module.entry_points.len())
    };
    let entry = entry.clone();
    let text = compiled.module.to_string();
    assert_eq!(pullback_ir::parse::parse(&text).expect("parses").to_string(), text, "printing round-trips");
    let module = verify(compiled.module).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
    let leaves: usize = entry.globals.iter().map(|global| global.ty.leaves().len()).sum();
    assert_eq!(leaves, given.len(), "leaves of {:?}", entry.globals);
    let mut args: Vec<KernelArg> = given
        .iter()
        .map(|given| match given {
            Given::Buffer(buffer) => KernelArg::Buffer { buffer: *buffer, offset_elements: 0 },
            Given::Number(constant) => KernelArg::Scalar(*constant),
        })
        .collect();
    args.extend(groups.map(|n| KernelArg::Scalar(Constant::int(Scalar::U32, i64::from(n)))));
    let lanes = u64::from(entry.lanes_per_group()) * groups.iter().map(|&n| u64::from(n)).product::<u64>();
    run_kernel(&module, entry.kernel, &args, lanes, buffers).expect("runs");
    entry
}

fn count(n: i64) -> Given {
    Given::Number(Constant::int(Scalar::I64, n))
}

fn float(value: f64) -> Given {
    Given::Number(Constant::float(Scalar::F32, value))
}

fn bytes_of<const N: usize, T>(values: &[T], bytes: impl Fn(&T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(bytes).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn ints(bytes: &[u8]) -> Vec<i32> {
    bytes.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

#[test]
fn each_lane_writes_its_element_of_a_buffer() {
    let text = "
        RWStructuredBuffer<float> outputBuffer;
        [shader(\"compute\")] [numthreads(4, 1, 1)]
        void computeMain(uint3 tid : SV_DispatchThreadID) { outputBuffer[tid.x] = tid.x * 2.5; }";
    let mut buffers = [vec![0; 16]];
    let entry = launch(text, [1, 1, 1], &[Given::Buffer(0), count(4)], &mut buffers);
    assert_eq!((&*entry.name, entry.group), ("computeMain", [4, 1, 1]));
    assert_eq!(&*entry.globals[0].name, "outputBuffer");
    assert_eq!(entry.globals[0].ty.leaves(), [Type::pointer(Type::F32), Type::I64]);
    assert_eq!(floats(&buffers[0]), [0.0, 2.5, 5.0, 7.5]);
}

#[test]
fn attributes_of_entry_points_are_known_in_any_case() {
    let text = "
        RWStructuredBuffer<int> ids;
        [Shader(\"compute\")] [NumThreads(2, 1, 1)]
        void main(int3 tid : SV_DispatchThreadID) { ids[tid.x] = tid.x + 5; }";
    let mut buffers = [vec![0; 8]];
    launch(text, [1, 1, 1], &[Given::Buffer(0), count(2)], &mut buffers);
    assert_eq!(ints(&buffers[0]), [5, 6]);
}

#[test]
fn an_entry_point_without_a_group_size_has_one_lane() {
    let text = "
        RWStructuredBuffer<int> ids;
        [shader(\"compute\")]
        void main(int3 tid : SV_DispatchThreadID) { ids[tid.x] = tid.x + 5; }";
    let mut buffers = [vec![0; 8]];
    let entry = launch(text, [2, 1, 1], &[Given::Buffer(0), count(2)], &mut buffers);
    assert_eq!(entry.group, [1, 1, 1]);
    assert_eq!(ints(&buffers[0]), [5, 6]);
}

#[test]
fn outside_of_a_buffer_reads_are_zero_and_writes_do_nothing() {
    let text = "
        RWStructuredBuffer<float> data;
        [numthreads(8, 1, 1)]
        void main(int3 tid : SV_DispatchThreadID) { data[tid.x] = data[tid.x + 1] + data[tid.x - 5] + 1; }";
    let mut buffers = [bytes_of(&[7.0f32; 6], |v| v.to_le_bytes())];
    launch(text, [1, 1, 1], &[Given::Buffer(0), count(4)], &mut buffers);
    assert_eq!(floats(&buffers[0]), [8.0, 8.0, 8.0, 1.0, 7.0, 7.0]);
}

#[test]
fn a_lane_knows_its_workgroup_and_its_place_in_it() {
    let text = "
        RWStructuredBuffer<int> ids;
        struct Place { uint3 group : SV_GroupID; uint2 inGroup : SV_GroupThreadID; }
        [numthreads(2, 2, 1)]
        void main(Place place, uint index : SV_GroupIndex, int2 at : SV_DispatchThreadID)
        {
            int cell = at.y * 4 + at.x;
            ids[cell] = place.group.x * 1000 + place.group.y * 100 + index * 10 + place.inGroup.y * 2 + place.inGroup.x;
        }";
    let mut buffers = [vec![0; 64]];
    launch(text, [2, 2, 1], &[Given::Buffer(0), count(16)], &mut buffers);
    let expected: Vec<i32> = (0..16)
        .map(|cell| {
            let (x, y) = (cell % 4, cell / 4);
            let index = (y % 2) * 2 + x % 2;
            (x / 2) * 1000 + (y / 2) * 100 + index * 10 + index
        })
        .collect();
    assert_eq!(ints(&buffers[0]), expected);
}

#[test]
fn uniforms_come_before_an_entry_points_own() {
    let text = "
        RWStructuredBuffer<float> result;
        uniform float scale;
        cbuffer Params : register(b0) { float2 shift; int unused; }
        float scaled(float x) { return x * scale + shift.y; }
        [numthreads(2, 1, 1)]
        void main(uint3 tid : SV_DispatchThreadID, uniform float bias) { result[tid.x] = scaled(tid.x) + bias; }";
    let mut buffers = [vec![0; 8]];
    let int = Given::Number(Constant::int(Scalar::I32, 0));
    let given = [Given::Buffer(0), count(2), float(3.0), float(10.0), float(20.0), int, float(0.5)];
    let entry = launch(text, [1, 1, 1], &given, &mut buffers);
    let names: Vec<&str> = entry.globals.iter().map(|global| &*global.name).collect();
    assert_eq!(names, ["result", "scale", "Params", "bias"]);
    assert_eq!(floats(&buffers[0]), [20.5, 23.5]);
}

#[test]
fn static_variables_begin_anew_in_each_lane() {
    let text = "
        RWStructuredBuffer<int> result;
        uniform int first;
        static int counter = first + 1;
        int next() { counter += 2; return counter; }
        [numthreads(3, 1, 1)]
        void main(uint tid : SV_GroupIndex) { next(); result[tid] = next() * 10 + counter + tid; }";
    let mut buffers = [vec![0; 12]];
    let first = Given::Number(Constant::int(Scalar::I32, 4));
    launch(text, [1, 1, 1], &[Given::Buffer(0), count(3), first], &mut buffers);
    assert_eq!(ints(&buffers[0]), [99, 100, 101]);
}

#[test]
fn parts_of_elements_are_read_and_written_alone() {
    let text = "
        struct Particle { float3 position; int2 cell[2]; float mass; }
        RWStructuredBuffer<Particle> particles;
        [numthreads(2, 1, 1)]
        void main(uint i : SV_GroupIndex)
        {
            particles[i].position.zx = float2(1 + i, 2 + i);
            particles[i].cell[1].y += 5;
            particles[i].mass *= particles[i].position[2];
            particles[i].cell[i] = int2(7, 8);
            particles[i].cell[i + 2] = int2(9, 9);
        }";
    let words = |mass: f32| {
        let mut bytes = bytes_of(&[0.5f32; 3], |v| v.to_le_bytes());
        bytes.extend(bytes_of(&[1i32; 4], |v| v.to_le_bytes()));
        bytes.extend(mass.to_le_bytes());
        bytes
    };
    let mut buffers = [[words(10.0), words(100.0)].concat()];
    launch(text, [1, 1, 1], &[Given::Buffer(0), count(2)], &mut buffers);
    assert_eq!(floats(&buffers[0][..12]), [2.0, 0.5, 1.0]);
    assert_eq!(ints(&buffers[0][12..28]), [7, 8, 1, 6]);
    assert_eq!(floats(&buffers[0][28..44]), [10.0, 3.0, 0.5, 2.0]);
    assert_eq!(ints(&buffers[0][44..60]), [1, 1, 7, 8]);
    assert_eq!(floats(&buffers[0][60..]), [200.0]);
}

#[test]
fn buffers_are_passed_returned_and_held_in_structs_and_arrays() {
    let text = "
        struct Pair { StructuredBuffer<int> from; RWStructuredBuffer<int> to; }
        ConstantBuffer<Pair> pair;
        StructuredBuffer<int> tables[2];
        int at(StructuredBuffer<int> table, int i) { return table.Load(i); }
        StructuredBuffer<int> second() { return tables[1]; }
        void copy(Pair p, int i) { p.to[i] = at(p.from, i) * 100 + at(p.to, i) + at(second(), 0) + tables[0][1]; }
        [numthreads(2, 1, 1)]
        void main(uint i : SV_GroupIndex)
        {
            copy(pair, i);
            uint n, stride;
            pair.from.GetDimensions(n, stride);
            if (i == 1) pair.to[2] = n * 10 + stride;
        }";
    let row = |values: &[i32]| bytes_of(values, |v| v.to_le_bytes());
    let mut buffers = [row(&[1, 2]), row(&[5, 6, 7]), row(&[30, 40]), row(&[1000])];
    let given = [
        Given::Buffer(0),
        count(2),
        Given::Buffer(1),
        count(3),
        Given::Buffer(2),
        count(2),
        Given::Buffer(3),
        count(1),
    ];
    launch(text, [1, 1, 1], &given, &mut buffers);
    assert_eq!(ints(&buffers[1]), [1145, 1246, 24]);
}

#[test]
fn buffers_of_bytes_hold_any_type() {
    let text = "
        RWByteAddressBuffer bytes;
        struct S { float2 a; int b; }
        [numthreads(1, 1, 1)]
        void main()
        {
            bytes.Store(0, 5);
            bytes.Store2(4, bytes.Load2(0) + uint2(1, 2));
            S s = { float2(1.5, 2.5), 7 };
            bytes.Store<S>(12, s);
            bytes.Store(24, asuint(bytes.Load<S>(12).a.y + bytes.Load<float>(12)));
            bytes.Store(29, 1);
            uint n;
            bytes.GetDimensions(n);
            bytes.Store(28, n + bytes.Load(30));
        }";
    let mut buffers = [vec![0; 32]];
    launch(text, [1, 1, 1], &[Given::Buffer(0), count(32)], &mut buffers);
    assert_eq!(ints(&buffers[0][..12]), [5, 6, 2]);
    assert_eq!(floats(&buffers[0][12..20]), [1.5, 2.5]);
    assert_eq!(ints(&buffers[0][20..24]), [7]);
    assert_eq!(floats(&buffers[0][24..28]), [4.0]);
    assert_eq!(ints(&buffers[0][28..]), [32]);
}

/// Shared memory and waves are lowered to what verifies.
#[test]
fn lanes_of_a_workgroup_meet() {
    let text = "
        RWStructuredBuffer<int> result;
        struct Cell { int2 at; uint hits; }
        groupshared Cell cells[4];
        groupshared float sums[2][4];
        [numthreads(4, 1, 1)]
        void main(uint i : SV_GroupIndex)
        {
            cells[i].at = int2(i, i * 2);
            sums[1][i] = WaveActiveSum(float2(i, 1)).y;
            InterlockedAdd(cells[0].hits, 1u);
            GroupMemoryBarrierWithGroupSync();
            int old;
            InterlockedMax(result[0], cells[3 - i].at.y, old);
            if (i == 0) result[1] = cells[0].hits + (int)sums[1][3];
        }";
    let compiled = compile(Language::Slang, "t.slang", text, &Options::default());
    assert!(compiled.diagnostics.is_empty(), "{:?}", compiled.diagnostics);
    let module = compiled.module.clone();
    let entry = &module.entry_points[0];
    assert_eq!(module.functions[entry.kernel].group_lanes, 4);
    assert_eq!(module.functions[entry.kernel].shared.len(), 3);
    verify(compiled.module).unwrap_or_else(|errors| panic!("{errors:?}\n{module}"));
}

#[test]
fn a_function_chooses_among_buffers() {
    let text = "
        RWStructuredBuffer<int> a;
        RWStructuredBuffer<int> b;
        RWStructuredBuffer<int> pick(int i) { if (i == 0) return a; return b; }
        RWStructuredBuffer<int> last(int n)
        {
            RWStructuredBuffer<int> found = a;
            for (int i = 0; i < n; i++) { if (i == 1) { found = b; break; } }
            return found;
        }
        [numthreads(2, 1, 1)]
        void main(int i : SV_GroupIndex) { pick(i)[i] = i + 1; if (i == 0) last(5)[0] = 7; }";
    let mut buffers = [vec![0; 8], vec![0; 8]];
    let given = [Given::Buffer(0), count(2), Given::Buffer(1), count(2)];
    launch(text, [1, 1, 1], &given, &mut buffers);
    assert_eq!((ints(&buffers[0]), ints(&buffers[1])), (vec![1, 0], vec![7, 2]));
}

#[test]
fn a_buffer_that_is_not_given_is_empty() {
    let text = "
        interface ISource { float at(int i); }
        struct Stored : ISource { RWStructuredBuffer<float> data; float at(int i) { return data[i]; } }
        struct Fixed : ISource { float value; float at(int i) { return value; } }
        RWStructuredBuffer<float> result;
        static RWStructuredBuffer<float> chosen;
        void choose(out RWStructuredBuffer<float> to, bool given) { if (given) to = result; }
        float none<T : ISource>(int i) { T source; return source.at(i); }
        float ask(ISource source, int i) { return source.at(i); }
        [numthreads(1, 1, 1)]
        void main()
        {
            chosen[0] = 5;
            RWStructuredBuffer<float> to;
            to[1] = 7;
            choose(to, true);
            to[0] = none<Stored>(0) + chosen[0] + 1;
            choose(to, false);
            Stored stored = { result };
            Fixed fixed = { 3 };
            result[1] = ask(stored, 0) + ask(fixed, 0);
        }";
    let mut buffers = [bytes_of(&[9.0f32, 9.0], |v| v.to_le_bytes())];
    launch(text, [1, 1, 1], &[Given::Buffer(0), count(2)], &mut buffers);
    assert_eq!(floats(&buffers[0]), [1.0, 4.0]);
}

#[test]
fn what_memory_cannot_do_is_refused_at_its_place() {
    let cases = [
        ("RWStructuredBuffer<float> b; void f() { b.Append(1); }", "counters of buffers"),
        ("StructuredBuffer<float> b; void f() { b[0] = 1; }", "cannot be assigned"),
        ("uniform float u; void f() { u = 1; }", "`u` cannot be assigned"),
        ("void f() { int x = 0; InterlockedAdd(x, 1); }", "needs a place that lanes share"),
        ("RWStructuredBuffer<float> b; void f() { InterlockedMin(b[0], 1.0); }", "does not take `float`"),
        ("RWStructuredBuffer<int> b; void f() { b[1.5] = 1; }", "an index is an integer"),
        ("void f() { GroupMemoryBarrier(); }", "fences like"),
        ("void f() { int x = 0; int* p = &x; }", "this has no address"),
        ("StructuredBuffer<int> b; void f() { int* p = &b[0]; }", "not `Ptr<int, Access.Read>`"),
        ("void f(float* p) { float* q = p * 2; }", "`*` does not take `float*` and `int`"),
        ("void f(float* p) { int* q = p; }", "needs `int*`, not `float*`"),
        ("int f(void* p) { return *p; }", "there is no value behind a `void*`"),
        ("void f(Ptr<float, Access.Read> p) { *p = 1; }", "leads to cannot be assigned"),
        (
            "void f(Ptr<float, Access.ReadWrite, AddressSpace.GroupShared> p) {}",
            "pointers to `groupshared` variables",
        ),
        ("RWByteAddressBuffer b; uint f(uint a) { return b.Load(0, a); }", "an alignment must be known"),
        ("RWStructuredBuffer<int> b; void f() { InterlockedAddF32(b[0], 1); }", "does not take `int`"),
        ("bool f() { RWStructuredBuffer<int> b; return WaveActiveAllEqual(b); }", "does not take `RWStruct"),
        ("groupshared int g = 3; void f() { g = 1; }", "initial values of `groupshared` variables"),
        ("struct S<T> { static int n = 3; int f() { return n; } };", "static variables of generic types"),
        ("void f(half x) { WaveActiveSum(x); }", "does not take `half`"),
        ("void f(int16_t x) { WavePrefixProduct(x); }", "does not take `int16_t`"),
        ("[shader(\"pixel\")] void f() {}", "stages other than"),
        ("[numthreads(4, 1, 1)] void f(uint i : SV_VertexID) {}", "semantics like"),
        ("[numthreads(2000, 1, 1)] void f() {}", "cannot have 2000 lanes"),
        (
            "groupshared int g[4]; [numthreads(512, 1, 1)] void f() { g[0] = 1; }",
            "too large for lanes that meet",
        ),
    ];
    for (text, message) in cases {
        let compiled = compile(Language::Slang, "t.slang", text, &Options::default());
        let errors: Vec<_> = compiled.diagnostics.into_vec();
        let [error] = &errors[..] else { panic!("{text}: {errors:?}") };
        assert!(error.message.contains(message), "{text}: {error:?}");
    }
}
