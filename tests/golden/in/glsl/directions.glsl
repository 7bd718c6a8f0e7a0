// Parameters of GLSL that are in, out and inout, overloads, and functions that assign their own parameters.
// run: split(3.75) == (3, 0.75)
// grad: split(3.75) == 1
// run: twice_stepped(1, 2) == 3.5
// grad: twice_stepped(1, 2) == (1, 1.25)
// run: spread(2, 5) == (2.5, 11.25)
// grad: spread(2, 5) == (3.75, 2.75)
#version 450

void parts(const float x, out float whole, out float rest) {
    whole = floor(x);
    rest = x - whole;
}

float split(float x, out float rest) {
    float whole;
    parts(x, whole, rest);
    return whole;
}

void step_to(inout vec2 p, float to) { p += 0.5 * (vec2(to) - p); }
void step_to(inout float x, float to) { x += 0.5 * (to - x); to = x; }

float twice_stepped(float x, float to) {
    vec2 p = vec2(x, to);
    step_to(p, to);
    float y = x;
    step_to(y, to);
    step_to(y, x);
    return p.x + y + 0.25 * p.y + 0.25 * (to - x) - 0.0 * p.y;
}

struct Pair { float low; float values[2]; };

void fill(out Pair pair, float x, float y) {
    pair.low = min(x, y);
    pair.values[0] = x * y;
    pair.values[1] = y;
}

vec2 spread(float x, float y) {
    Pair pair;
    fill(pair, x, y);
    vec2 both = vec2(pair.values[1], pair.values[0]);
    for (int i = 0; i < 2; i++) {
        if (pair.low > 1.0) { both[i] = both[i] + 0.25 * pair.values[i]; }
    }
    both.x -= 1.0 * x * y * 0.5;
    return both;
}
