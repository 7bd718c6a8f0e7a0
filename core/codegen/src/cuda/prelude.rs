//! Functions that kernels may call; a kernel's text gets those it names.

const TYPES: &str = "\
typedef signed char i8;
typedef short i16;
typedef int i32;
typedef long long i64;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef float f32;
typedef double f64;
";

/// Name and text; a piece may use those before it.
const PIECES: [(&str, &str); 15] = [
    (
        "pb_div",
        "\
// x / 0 = x, MIN / -1 = MIN
template <class T> __device__ T pb_div(T x, T y) {
    if (y == 0) return x;
    if ((T)-1 < (T)1 && y == (T)-1) return (T)(0ull - (u64)x);
    return x / y;
}
",
    ),
    (
        "pb_rem",
        "\
// x % 0 = 0, MIN % -1 = 0
template <class T> __device__ T pb_rem(T x, T y) {
    return y == 0 || ((T)-1 < (T)1 && y == (T)-1) ? 0 : x % y;
}
",
    ),
    ("pb_min", "template <class T> __device__ T pb_min(T x, T y) { return y < x ? y : x; }\n"),
    ("pb_max", "template <class T> __device__ T pb_max(T x, T y) { return x < y ? y : x; }\n"),
    (
        "pb_saturate",
        "\
// Truncates to an integer; `low` and below give the lowest, `high` and above the highest, NaN gives 0.
template <class To, class From>
__device__ To pb_saturate(From x, From low, From high, To lowest, To highest) {
    return x != x ? (To)0 : x <= low ? lowest : x >= high ? highest : (To)x;
}
",
    ),
    (
        "pb_f16_to_f32",
        "\
__device__ inline f32 pb_f16_to_f32(u16 h) {
#ifdef __CUDACC__
    f32 x;
    asm(\"cvt.f32.f16 %0, %1;\" : \"=f\"(x) : \"h\"(h));
    return x;
#else
    const u32 sign = (u32)(h & 0x8000) << 16, exponent = (h >> 10) & 31, digits = h & 1023;
    if (exponent == 31) return __uint_as_float(sign | 0x7f800000u | digits << 13);
    const f32 x = ldexpf((f32)(exponent ? digits | 1024 : digits), (i32)(exponent ? exponent : 1) - 25);
    return __uint_as_float(sign | __float_as_uint(x));
#endif
}
",
    ),
    (
        "pb_f32_to_f16",
        "\
__device__ inline u16 pb_f32_to_f16(f32 x) {
#ifdef __CUDACC__
    u16 h;
    asm(\"cvt.rn.f16.f32 %0, %1;\" : \"=h\"(h) : \"f\"(x));
    return h;
#else
    const u32 bits = __float_as_uint(x), size = bits & 0x7fffffffu;
    u32 h;
    if (size > 0x7f800000u) h = 0x7e00;
    else if (size >= 0x477ff000u) h = 0x7c00;
    else if (size >= 0x38800000u) h = ((size + 0xfff + (size >> 13 & 1)) >> 13) - (112 << 10);
    else h = (u32)rintf(__uint_as_float(size) * 16777216.0f);
    return (u16)(bits >> 16 & 0x8000 | h);
#endif
}
",
    ),
    (
        "pb_bf16_to_f32",
        "__device__ inline f32 pb_bf16_to_f32(u16 h) { return __uint_as_float((u32)h << 16); }\n",
    ),
    (
        "pb_f32_to_bf16",
        "\
__device__ inline u16 pb_f32_to_bf16(f32 x) {
    const u32 bits = __float_as_uint(x);
    return x != x ? (u16)(bits >> 16 | 0x40) : (u16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
",
    ),
    (
        "pb_atomic_update",
        "\
// Replaces the `width` bits at an address by what `update` makes of them, unless another thread came between.
template <class Update> __device__ void pb_atomic_update(void* address, u32 width, Update update) {
    u32* const word = (u32*)((u64)address & ~3ull);
    const u32 shift = 8 * (u32)((u64)address & 3), mask = 0xffffffffu >> (32 - width) << shift;
    u32 seen = *(volatile u32*)word, old;
    do {
        old = seen;
        const u32 updated = (u32)update((old & mask) >> shift) << shift & mask;
        seen = atomicCAS(word, old, (old & ~mask) | updated);
    } while (seen != old);
}
",
    ),
    (
        "pb_group_sum",
        "\
// The sum over the block, in thread 0; the order of additions is fixed. Others must not read `sums` after the
// last barrier: thread 0 may be at the next sum already.
template <class T, class Add> __device__ T pb_group_sum(T mine, Add add) {
    __shared__ T sums[256];
    sums[threadIdx.x] = mine;
    __syncthreads();
    for (u32 step = 128; step > 0; step >>= 1) {
        if (threadIdx.x < step) sums[threadIdx.x] = add(sums[threadIdx.x], sums[threadIdx.x + step]);
        __syncthreads();
    }
    return threadIdx.x == 0 ? sums[0] : mine;
}
",
    ),
    (
        "pb_wave_join",
        "\
// What `join` makes of the values of a wave, in the order of lanes, in all of them. All threads of the block come.
template <class T, class Join> __device__ T pb_wave_join(T mine, u32 lanes, Join join) {
    __shared__ T shown[256];
    shown[threadIdx.x] = mine;
    __syncthreads();
    const u32 first = threadIdx.x & ~31u, end = first + 32 < lanes ? first + 32 : lanes;
    T sum = shown[first];
    for (u32 i = first + 1; i < end; ++i) sum = join(sum, shown[i]);
    __syncthreads();
    return sum;
}
",
    ),
    (
        "pb_wave_prefix",
        "\
// As pb_wave_join, of `start` and the lanes before this one.
template <class T, class Join> __device__ T pb_wave_prefix(T mine, T start, Join join) {
    __shared__ T shown[256];
    shown[threadIdx.x] = mine;
    __syncthreads();
    for (u32 i = threadIdx.x & ~31u; i < threadIdx.x; ++i) start = join(start, shown[i]);
    __syncthreads();
    return start;
}
",
    ),
    (
        "pb_wave_read",
        "\
// The value of a lane of the wave, zero if there is no such lane. All threads of the block come.
template <class T> __device__ T pb_wave_read(T mine, u32 lane, u32 lanes) {
    __shared__ T shown[256];
    shown[threadIdx.x] = mine;
    __syncthreads();
    const u32 from = (threadIdx.x & ~31u) + lane;
    const T theirs = lane < 32 && from < lanes ? shown[from] : (T)0;
    __syncthreads();
    return theirs;
}
",
    ),
    ("pb_sign", "template <class T> __device__ T pb_sign(T x) { return (T)((x > (T)0) - (x < (T)0)); }\n"),
];

/// The kernel's text after the pieces it needs.
pub fn with_prelude(kernel: String) -> String {
    let mut text = kernel;
    for (name, piece) in PIECES.iter().rev() {
        if text.contains(&format!("{name}(")) || text.contains(&format!("{name}<")) {
            text = format!("{piece}\n{text}");
        }
    }
    format!("{TYPES}\n{text}")
}
