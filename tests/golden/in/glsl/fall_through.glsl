// Cases of GLSL that fall through to the next.
// ints: 0 .. 5
// run: chosen(3, 0) == 6
// grad: chosen(3, 0) == 2
// run: chosen(3, 1) == 2
// run: chosen(3, 2) == 8
// run: chosen(3, 3) == 4
// run: chosen(-3, 4) == -3
// grad: chosen(-3, 4) == 1
// run: chosen(3, 4) == 4
#version 450
float chosen(float x, int n) {
    float y = 1.0;
    switch (n) {
    case 0: y = x;
    case 1: y *= 2.0; break;
    case 4: if (x < 0.0) return x;
    case 3: y += x; break;
    case 2: y = 5.0;
    default: y += x;
    }
    return y;
}
