fn f() -> i32 { return 3000000000i; }
