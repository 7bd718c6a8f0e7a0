// Control flow of GLSL: switch, do-while, while with breaks, early returns, nested loops, conditional expressions.
// floats: -3 .. 3
// ints: 0 .. 6
// run: chosen(2, 1) == 4
// grad: chosen(2, 1) == 4
// run: root(2) ~= 1.4142135 within 1e-5
// grad: root(2) ~= 0.35355338 within 1e-5
// run: series(0.5, 5) == 1.9375
// grad: series(0.5, 5) == 3.25
// run: triangle(2, 3) == 32
// grad: triangle(2, 3) == 26
// run: sign_of(-2) == -1
#version 450
#define SQUARE(x) ((x) * (x))

float chosen(float x, int which) {
    float y = 0.0;
    switch (which) {
    case 0: y = x; break;
    case 1: y = SQUARE(x); break;
    case 2: return -x;
    default: y = x > 0.0 ? 2.0 * x : -x; break;
    }
    return y;
}

float root(float x) {
    float guess = 1.0;
    int turns = 0;
    do {
        guess = 0.5 * (guess + (x * x > 0.0 ? abs(x) : 1.0) / guess);
        turns++;
    } while (turns < 8);
    return guess;
}

float series(float x, int n) {
    float sum = 0.0, term = 1.0;
    int i = 0;
    while (true) {
        if (i >= n) break;
        i++;
        sum += term;
        term *= x;
        if (abs(term) > 100.0) return sum;
    }
    return sum;
}

float triangle(float x, int n) {
    float sum = 0.0;
    for (int i = 1; i <= n; i++) {
        for (int j = 0; j < i; j++) {
            if (j == 2) continue;
            float power = x;
            for (int k = 0; k < j; k++) { power *= x; }
            sum += power * float(i);
        }
    }
    return sum;
}

int sign_of(float x) {
    if (x < 0.0) return -1;
    if (x > 0.0) return 1;
    return 0;
}
