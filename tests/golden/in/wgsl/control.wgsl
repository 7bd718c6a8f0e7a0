// loop with continuing, switch, and early return.
// ints: 0 .. 12
// run: sum_odd(5) == 9
// run: sum_odd(0) == 0
// run: sum_odd(11) == -1
fn sum_odd(n: i32) -> i32 {
    if n > 10 { return -1; }
    var sum = 0;
    var i = 0;
    loop {
        if i >= n + 1 { break; }
        switch i % 2 {
            case 0: { continue; }
            default: { sum += i; }
        }
        continuing { i += 1; }
    }
    return sum;
}
