fn f(x: f16) -> f16 { return x; }
