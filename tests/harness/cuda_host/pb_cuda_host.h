// Stands for a CUDA device, so that emitted kernel text compiles as C++17 and runs on the host.
//
// Blocks run one after the other. The threads of a block are fibers of one host thread: a fiber runs until
// __syncthreads() or a shuffle, which passes control to the next one, so barriers hold and runs repeat exactly.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <ucontext.h>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
// Blocks do not overlap in time, so one instance serves all of them.
#define __shared__ static

struct PbIndex {
    unsigned x, y, z;
};

inline PbIndex threadIdx{0, 0, 0}, blockIdx{0, 0, 0}, blockDim{1, 1, 1}, gridDim{1, 1, 1};

namespace pb_host {

constexpr std::size_t kStackBytes = 64 * 1024;

/// The fibers of a block.
struct Block {
    std::vector<ucontext_t> fibers;
    std::vector<std::unique_ptr<char[]>> stacks;
    std::vector<char> done;
    ucontext_t outside;
    std::function<void()> body;
    /// What each thread shows to the others of its warp.
    std::vector<std::uint64_t> shown;
};

inline Block* running = nullptr;

inline void run_fiber() {
    running->body();
    running->done[threadIdx.x] = 1;
    swapcontext(&running->fibers[threadIdx.x], &running->outside);
}

/// Runs every fiber up to its next barrier, in order, until all are done.
inline void run_block(Block& block, unsigned threads) {
    running = &block;
    block.fibers.resize(threads);
    block.stacks.resize(threads);
    block.done.assign(threads, 0);
    block.shown.assign(threads, 0);
    for (unsigned t = 0; t < threads; ++t) {
        if (!block.stacks[t]) block.stacks[t].reset(new char[kStackBytes]);
        getcontext(&block.fibers[t]);
        block.fibers[t].uc_stack.ss_sp = block.stacks[t].get();
        block.fibers[t].uc_stack.ss_size = kStackBytes;
        block.fibers[t].uc_link = nullptr;
        makecontext(&block.fibers[t], run_fiber, 0);
    }
    for (bool any = true; any;) {
        any = false;
        for (unsigned t = 0; t < threads; ++t) {
            if (block.done[t]) continue;
            any = true;
            threadIdx.x = t;
            swapcontext(&block.outside, &block.fibers[t]);
        }
    }
    running = nullptr;
}

/// Runs `body` once per thread of the grid. Without barriers a thread is an iteration.
inline void launch(unsigned grid, unsigned threads, bool has_barriers, std::function<void()> body) {
    Block block;
    block.body = std::move(body);
    gridDim.x = grid;
    blockDim.x = threads;
    for (unsigned b = 0; b < grid; ++b) {
        blockIdx.x = b;
        if (has_barriers) {
            run_block(block, threads);
            continue;
        }
        for (unsigned t = 0; t < threads; ++t) {
            threadIdx.x = t;
            block.body();
        }
    }
}

template <class To, class From> To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From), "sizes differ");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

}  // namespace pb_host

inline void __syncthreads() {
    swapcontext(&pb_host::running->fibers[threadIdx.x], &pb_host::running->outside);
}

inline void __syncwarp(unsigned = ~0u) { __syncthreads(); }

template <class T> T __shfl_sync(unsigned, T value, int lane, int width = 32) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    pb_host::running->shown[threadIdx.x] = bits;
    __syncthreads();
    const unsigned first = threadIdx.x / width * width;
    bits = pb_host::running->shown[first + static_cast<unsigned>(lane) % width];
    __syncthreads();
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    const int from = static_cast<int>(threadIdx.x % width + delta);
    return __shfl_sync(mask, value, from < width ? from : static_cast<int>(threadIdx.x % width), width);
}

template <class T> T __shfl_xor_sync(unsigned mask, T value, int with, int width = 32) {
    return __shfl_sync(mask, value, static_cast<int>(threadIdx.x % width) ^ with, width);
}

// One host thread: plain arithmetic is atomic.
template <class T> T atomicAdd(T* at, T value) {
    const T old = *at;
    *at = old + value;
    return old;
}

template <class T> T atomicCAS(T* at, T expected, T desired) {
    const T old = *at;
    if (old == expected) *at = desired;
    return old;
}

template <class T, class Update> T pb_atomic(T* at, Update update) {
    const T old = *at;
    *at = update(old);
    return old;
}

template <class T> T atomicMin(T* at, T value) { return pb_atomic(at, [=](T old) { return value < old ? value : old; }); }
template <class T> T atomicMax(T* at, T value) { return pb_atomic(at, [=](T old) { return old < value ? value : old; }); }
template <class T> T atomicAnd(T* at, T value) { return pb_atomic(at, [=](T old) { return old & value; }); }
template <class T> T atomicOr(T* at, T value) { return pb_atomic(at, [=](T old) { return old | value; }); }
template <class T> T atomicXor(T* at, T value) { return pb_atomic(at, [=](T old) { return old ^ value; }); }
template <class T> T atomicExch(T* at, T value) { return pb_atomic(at, [=](T) { return value; }); }

inline float __int_as_float(int x) { return pb_host::bits_as<float>(x); }
inline float __uint_as_float(unsigned x) { return pb_host::bits_as<float>(x); }
inline int __float_as_int(float x) { return pb_host::bits_as<int>(x); }
inline unsigned __float_as_uint(float x) { return pb_host::bits_as<unsigned>(x); }
inline double __longlong_as_double(long long x) { return pb_host::bits_as<double>(x); }
inline long long __double_as_longlong(double x) { return pb_host::bits_as<long long>(x); }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }

inline unsigned long long __brevll(unsigned long long x) {
    unsigned long long out = 0;
    for (int bit = 0; bit < 64; ++bit) out |= (x >> bit & 1) << (63 - bit);
    return out;
}

inline unsigned __brev(unsigned x) { return static_cast<unsigned>(__brevll(x) >> 32); }

inline float rsqrtf(float x) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(x))); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
