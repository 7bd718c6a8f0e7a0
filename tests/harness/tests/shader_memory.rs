//! Memory and meeting lanes as shaders write them: entry points from their text on every executor, against values
//! worked out by hand.

use pullback_lang::Language;
use pullback_tests::entries;

fn gives(text: &str, groups: u32, buffers: &[Vec<u8>], expected: &[i32]) -> Vec<Vec<u8>> {
    entries::gives(Language::Slang, text, groups, buffers, expected)
}

fn ints(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn lanes_share_structs_and_arrays_behind_barriers() {
    let text = "
        RWStructuredBuffer<int> result;
        struct Cell { int2 at; uint hits; }
        groupshared Cell cells[8];
        groupshared int turns[2][8];
        int neighbour(uint i) { return turns[1][(i + 1) % 8]; }
        [numthreads(8, 1, 1)]
        void main(uint i : SV_GroupIndex, uint3 group : SV_GroupID)
        {
            cells[i].at = int2(i, i * 10);
            if (i == 0) cells[0].hits = 0;
            GroupMemoryBarrierWithGroupSync();
            InterlockedAdd(cells[0].hits, i);
            turns[1][i] = cells[7 - i].at.y;
            AllMemoryBarrierWithGroupSync();
            result[group.x * 8 + i] = neighbour(i) + (int)cells[0].hits * 100;
        }";
    let expected: Vec<i32> = (0..16).map(|lane| (7 - (lane + 1) % 8) * 10 + 2800).collect();
    gives(text, 2, &[vec![0; 64]], &expected);
}

#[test]
fn atomics_reach_buffers_bytes_and_shared_memory() {
    let text = "
        RWStructuredBuffer<int> result;
        RWByteAddressBuffer bytes;
        RWStructuredBuffer<float> sums;
        groupshared uint count;
        [numthreads(32, 1, 1)]
        void main(uint i : SV_GroupIndex)
        {
            if (i == 0) count = 0;
            GroupMemoryBarrierWithGroupSync();
            InterlockedAdd(count, 2);
            InterlockedMax(result[0], (int)i);
            InterlockedMin(result[1], -(int)i);
            InterlockedOr(result[2], 1 << i);
            InterlockedAdd(sums[0], 0.5);
            bytes.InterlockedAdd(0, i);
            bytes.InterlockedAddU64(8, 0x80000000u);
            bytes.InterlockedMax64(16, -5 - (int64_t)i);
            uint old;
            bytes.InterlockedExchange(28 + 4 * i, 9 + i, old);
            GroupMemoryBarrierWithGroupSync();
            if (i == 3) { result[3] = (int)count + old; result[4] = (int)sums[0]; }
            if (i == 4)
            {
                result[5] = bytes.Load(0);
                result[6] = (int)(bytes.Load<uint64_t>(8) >> 32);
                result[7] = (int)bytes.Load<int64_t>(16);
                InterlockedCompareStore(result[8], 7, 1);
                InterlockedCompareStore(result[9], 8, 1);
            }
        }";
    let result = ints(&[-9, 9, 0, 0, 0, 0, 0, 0, 7, 7]);
    let mut bytes = vec![0; 24];
    bytes[16..24].copy_from_slice(&i64::MIN.to_le_bytes());
    bytes.extend(ints(&[0; 33]));
    let expected = [31, -31, -1, 64, 16, 496, 16, -5, 1, 7];
    gives(text, 1, &[result, bytes, vec![0; 4]], &expected);
}

#[test]
fn atomic_numbers_stand_in_buffers_structs_and_shared_memory() {
    let text = "
        struct Cell { int tag; Atomic<int> hits; Atomic<uint> bits[2]; }
        RWStructuredBuffer<int> result;
        RWStructuredBuffer<Atomic<uint>> counts;
        RWStructuredBuffer<Cell> cells;
        RWStructuredBuffer<Atomic<float>> sums;
        RWStructuredBuffer<Atomic<int64_t>> wide;
        groupshared Atomic<int> turns[2];
        [numthreads(32, 1, 1)]
        void main(uint i : SV_GroupIndex)
        {
            if (i < 2) turns[i].store(100);
            GroupMemoryBarrierWithGroupSync();
            turns[i % 2].sub(2);
            turns[1]--;
            counts[0]++;
            counts[1] += i;
            counts[2].max(i, MemoryOrder.Relaxed);
            counts[3].min(50 - i);
            if (i == 0) counts[4].increment();
            cells[1].hits.decrement();
            cells[1].bits[i % 2] |= 1u << i;
            cells[0].bits[1] ^= 1u << i;
            sums[0].add(0.5);
            sums[1] -= 0.25;
            wide[0].add(1ll << 40);
            GroupMemoryBarrierWithGroupSync();
            if (i == 7)
            {
                result[0] = turns[0].load();
                result[1] = turns[1].exchange(-3);
                result[2] = turns[1].load();
                result[3] = (int)sums[0].load();
                result[4] = (int)sums[1].load();
                result[5] = (int)(wide[0].load() >> 40);
                result[6] = (int)counts[5].compareExchange(7, 8);
                result[7] = (int)counts[5].compareExchange(7, 9, MemoryOrder.Relaxed, MemoryOrder.Relaxed);
                result[8] = counts[1].and(0xF0);
                result[9] = cells[1].tag;
                result[10] = cells[1].hits.load() * 2;
                result[11] = (int)cells[1].bits[1].load();
                Atomic<float>* sum = &sums[2];
                sum->store(-0.0);
                result[12] = asint(sum->load());
            }
            counts[9].increment();
        }";
    let counts = ints(&[0, 0, 0, 60, 0, 7]);
    let cells = ints(&[1, 0, 0, -1, 2, 5, 0, 0]);
    let expected = [68, 36, -3, 16, -8, 32, 7, 8, 496, 2, -54, 0xAAAA_AAAA_u32 as i32, i32::MIN];
    let buffers = [vec![0; 52], counts, cells, vec![0; 12], vec![0; 8]];
    let left = gives(text, 1, &buffers, &expected);
    assert_eq!(left[1], ints(&[32, 496 & 0xF0, 31, 19, 1, 8]));
    assert_eq!(left[2], ints(&[1, 0, 0, 0, 2, -27, 0x5555_5555, 0xAAAA_AAAA_u32 as i32]));
}

#[test]
fn waves_count_vote_and_pass_on() {
    let text = "
        RWStructuredBuffer<int> result;
        [numthreads(64, 1, 1)]
        void main(uint i : SV_GroupIndex)
        {
            uint lane = WaveGetLaneIndex();
            bool odd = lane % 2 == 1;
            bool inside = WaveActiveAllTrue(lane < 32), outside = WaveActiveAnyTrue(lane == 32);
            bool allOdd = WaveActiveAllTrue(odd), one = WaveActiveAnyTrue(lane == 5);
            bool same = WaveActiveAllEqual(int2(i / 32, 4)), differs = !WaveActiveAllEqual(i);
            bool first = WaveIsFirstLane() == (lane == 0);
            bool4 ballot = WaveActiveBallot(odd) == uint4(0xAAAAAAAAu, 0, 0, 0);
            uint count = WaveActiveCountBits(odd), before = WavePrefixCountBits(odd);
            uint seventh = WaveReadLaneAt(i, 7), start = WaveReadLaneFirst(i);
            int found = inside && !outside && !allOdd && one ? 1 : 0;
            found += same && differs ? 2 : 0;
            found += first && all(ballot) ? 4 : 0;
            found += count == 16 && before == lane / 2 ? 8 : 0;
            found += seventh == i / 32 * 32 + 7 && start == i / 32 * 32 ? 16 : 0;
            found += WaveGetLaneCount() == 32 && lane == i % 32 ? 32 : 0;
            result[i] = found;
        }";
    gives(text, 1, &[vec![0; 256]], &[63; 64]);
}

#[test]
fn bytes_are_loaded_and_stored_at_any_alignment_told() {
    let text = "
        RWByteAddressBuffer bytes;
        struct Block { float2 a; int b; }
        [numthreads(1, 1, 1)]
        void main()
        {
            bytes.Store2(0, bytes.Load2Aligned(8, 8) + uint2(1, 2));
            Block block = bytes.LoadAligned<Block>(4);
            block.b = (int)block.a.x;
            bytes.Store<Block>(16, block, 4);
            bytes.StoreAligned(28, bytes.LoadAligned<uint>(16, 4) == asuint(block.a.x) ? 1 : 0);
            bytes.Store4(36, uint4(1, 2, 3, 4));
        }";
    let word = |value: f32| value.to_bits() as i32;
    let given = [0, 0, word(2.5), word(3.5), 5, 6, 7, 8];
    let x = f32::from_bits((word(3.5) + 2) as u32);
    let expected = [word(2.5) + 1, word(3.5) + 2, word(2.5), word(3.5), word(x), word(2.5), 3, 1];
    gives(text, 1, &[ints(&given)], &expected);
}

#[test]
fn typed_buffers_and_parameter_blocks_are_read() {
    let text = "
        RWStructuredBuffer<int> result;
        Buffer<int2> pairs;
        struct Params { RWStructuredBuffer<float> weights; }
        ParameterBlock<Params> params;
        uniform RWStructuredBuffer<int>.Handle handle;
        [numthreads(2, 1, 1)]
        void main(uint i : SV_GroupIndex)
        {
            params.weights[i] *= 2;
            (*handle)[i] = handle[i] + 1;
            result[i] = pairs[i].y + (int)params.weights[i] + handle[i];
        }";
    let buffers = [vec![0; 8], ints(&[1, 2, 3, 4]), floats(&[10.0, 20.0]), ints(&[100, 200])];
    gives(text, 1, &buffers, &[123, 245]);
}

#[test]
fn pointers_lead_to_elements_and_count() {
    let text = "
        RWStructuredBuffer<int> result;
        struct Node { float2 at; int weight; int twice() { return weight * 2; } }
        uniform Node* nodes;
        RWStructuredBuffer<float> values;
        static Node* last = nullptr;
        struct Span { Ptr<Node> from; Node* to; }
        int sum(Span span)
        {
            int sum = 0;
            for (Node* p = span.from; p != span.to; p++) sum += p->weight;
            return sum;
        }
        void bump(inout int x) { x += 5; }
        T read<T>(T* p) { return *p; }
        [numthreads(1, 1, 1)]
        void main()
        {
            Span all = { nodes, nodes + 3 };
            result[0] = sum(all);
            bump(nodes[1].weight);
            (*(all.to - 1)).weight += 7;
            last = &nodes[2];
            result[1] = last->weight + nodes[1].weight + (1 + nodes)->twice();
            result[2] = (int)(all.to - all.from) * 10 + (last > nodes ? 1 : 0);
            float* y = &last->at.y;
            *y = 2.5;
            y[-1] = 1.5;
            result[3] = (int)(dot(nodes[2].at, float2(2, 4)) + read(y));
            uint64_t address = (uint64_t)&values[1];
            *(float*)(address + 4) = 3;
            int* bits = (int*)&values[2];
            InterlockedAdd(*bits, 1);
            result[4] = asint(values[2]) - asint(3.0f);
            Node* none = nullptr;
            if (!none && last) result[5] = none == nullptr ? 1 : 2;
            Node** unused = (Node**)0;
            result[6] = (unused ? 1 : 2) + (nodes + 1 <= last ? 10 : 20);
        }";
    let nodes: Vec<u8> = (1..4).flat_map(|i| [floats(&[0.0, 0.0]), ints(&[i])].concat()).collect();
    let buffers = [vec![0; 28], nodes, floats(&[0.0; 3])];
    gives(text, 1, &buffers, &[6, 31, 31, 15, 1, 1, 12]);
}

#[test]
fn pointers_that_only_read_and_pointers_to_interfaces_values_lead_there() {
    let text = "
        interface IShape { float area(); [mutating] void grow(); }
        struct Square : IShape { float side; float area() { return side * side; } [mutating] void grow() { side += 1; } }
        struct Disk : IShape { float2 at; float radius; float area() { return 3 * radius; } [mutating] void grow() { radius *= 2; } }
        RWStructuredBuffer<int> result;
        StructuredBuffer<float> numbers;
        RWStructuredBuffer<IShape> shapes;
        float sum(Ptr<float, Access.Read> from, int count)
        {
            float total = 0;
            for (int i = 0; i < count; i++) total += from[i];
            return total;
        }
        float area(IShape* shape) { return shape == nullptr ? -1 : shape->area(); }
        [numthreads(1, 1, 1)]
        void main()
        {
            Ptr<float, Access::Read, AddressSpace::Device> second = &numbers[1];
            result[0] = (int)sum(second, 3);
            result[1] = (int)(&numbers[3] - second);
            Square square = { 3 };
            Disk disk = { float2(1, 2), 4 };
            shapes[0] = square;
            shapes[1] = disk;
            IShape* shape = &shapes[0];
            result[2] = (int)area(shape);
            (*shape).grow();
            result[3] = (int)area(shape);
            shape++;
            result[4] = (int)area(shape);
            result[5] = (int)area(nullptr);
            *shape = square;
            result[6] = (int)shapes[1].area();
            float* written = (float*)&result[7];
            *written = 1;
            Ptr<float, Access.Read> read = written;
            bool same = read == written;
            result[8] = (int)sum(same ? read : written, 1);
            result[7] = read == nullptr ? 1 : 2;
        }";
    let buffers = [vec![0; 36], floats(&[1.0, 2.0, 3.0, 4.0]), vec![0; 48]];
    gives(text, 1, &buffers, &[9, 2, 9, 16, 12, -1, 9, 2, 1]);
}

#[test]
fn matrices_lie_by_columns_where_that_is_said() {
    let text = "
        struct Camera { float near; column_major float2x3 view; row_major float2x2 turn; column_major float2x2 steps[2]; }
        RWStructuredBuffer<int> result;
        RWStructuredBuffer<Camera> cameras;
        RWStructuredBuffer<column_major int2x3> whole;
        float3 second(Camera camera) { return camera.view[1]; }
        [numthreads(1, 1, 1)]
        void main(uint3 lane : SV_DispatchThreadID)
        {
            Camera camera = cameras[0];
            result[0] = (int)camera.view[0][1] * 10 + (int)camera.turn[0][1];
            result[1] = (int)camera.steps[1][1][0];
            result[2] = (int)second(camera).z + (int)cameras[0].view[lane.x + 1].y;
            result[3] = (int)cameras[0].steps[lane.x][lane.x + 1][lane.x];
            result[4] = whole[0][lane.x + 9][0];
            camera.view[1] += 100;
            camera.steps[lane.x][0].y = 50;
            cameras[0] = camera;
            cameras[0].view[0].xz = float2(7, 8);
            cameras[0].turn._m01 = 9;
            (&cameras[0])->view[lane.x][1]++;
            float* part = &cameras[0].view[1][0];
            *part = 60;
            int2x3 m = whole[0];
            whole[1] = m * 10;
            whole[1][1] = int3(5, 6, 7);
            InterlockedAdd(whole[0][lane.x][2], 3);
            whole[0][1] = whole[0][lane.x];
        }";
    let camera = [1, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33];
    let buffers =
        [vec![0; 20], floats(&camera.map(|n| n as f32)), ints(&[1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0])];
    let left = gives(text, 1, &buffers, &[41, 31, 10, 21, 0]);
    let changed = [1, 7, 60, 4, 104, 8, 106, 10, 9, 12, 13, 20, 21, 50, 23, 30, 31, 32, 33];
    assert_eq!(left[1], floats(&changed.map(|n| n as f32)));
    assert_eq!(left[2], ints(&[1, 1, 3, 3, 8, 8, 10, 5, 30, 6, 50, 7]));
}

#[test]
fn pack_matrix_tells_for_those_that_say_nothing() {
    let text = "
        struct Before { int2x2 m; }
        #pragma pack_matrix(column_major)
        struct After { int2x2 m; row_major int2x2 rows; }
        RWStructuredBuffer<int> result;
        RWStructuredBuffer<After> after;
        RWStructuredBuffer<int2x2> by_columns;
        RWStructuredBuffer<row_major int2x2> by_rows;
        #pragma pack_matrix(row_major)
        RWStructuredBuffer<Before> before;
        [numthreads(1, 1, 1)]
        void main()
        {
            result[0] = before[0].m[0][1];
            result[1] = after[0].m[0][1];
            result[2] = after[0].rows[0][1];
            result[3] = by_columns[0][0][1];
            result[4] = by_rows[0][0][1];
        }";
    let m = ints(&[1, 2, 3, 4]);
    let buffers = [vec![0; 20], [m.clone(), m.clone()].concat(), m.clone(), m.clone(), m];
    gives(text, 1, &buffers, &[2, 3, 2, 3, 2]);
}

#[test]
fn large_groups_run_while_their_lanes_never_meet() {
    let text = "
        RWStructuredBuffer<int> result;
        [numthreads(1024, 1, 1)]
        void main(uint i : SV_DispatchThreadID) { result[i] = i + 1; }";
    let expected: Vec<i32> = (1..=2048).collect();
    gives(text, 2, &[vec![0; 8192]], &expected);
}
